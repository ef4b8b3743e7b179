"""The messages that make up a card list: a card added, a card removed.

Source: docs/protocol.md section 11.
"""

import struct
from dataclasses import dataclass
from typing import Self

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.wire.cccam.cursor import Cursor, MalformedError

UA_LENGTH = 8
SA_LENGTH = 4
SIDS_LIMIT = 200
"""More assigned or rejected SIDs than this no peer takes."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of a card, with the card's shared address in it (4 bytes)."""

    ident: Ident
    sa: bytes = bytes(SA_LENGTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAdded:
    """One line of a server's card list."""

    share_id: ShareId
    remote_id: int
    caid: Caid
    hop: int
    reshare: int
    ua: bytes = bytes(UA_LENGTH)
    providers: tuple[Provider, ...] = ()
    assigned_sids: tuple[Sid, ...] = ()
    """When present: only these services."""
    rejected_sids: tuple[Sid, ...] = ()
    path: tuple[NodeId, ...] = ()
    """The nodes the card passed; the announcer is the last."""

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read a card of command 0x07."""
        return cls._parse(payload, with_sids=False)

    @classmethod
    def parse_with_sids(cls, payload: bytes) -> Self:
        """Read a card of command 0x0F."""
        return cls._parse(payload, with_sids=True)

    @classmethod
    def _parse(cls, payload: bytes, *, with_sids: bool) -> Self:
        cursor = Cursor(payload)
        share_id = ShareId(cursor.number(4))
        remote_id = cursor.number(4)
        caid = Caid(cursor.number(2))
        hop, reshare = cursor.number(1), cursor.number(1)
        ua = cursor.take(UA_LENGTH)
        counts = [cursor.number(1) for _ in range(3 if with_sids else 1)]
        return cls(
            share_id=share_id,
            remote_id=remote_id,
            caid=caid,
            hop=hop,
            reshare=reshare,
            ua=ua,
            providers=tuple(
                Provider(Ident(cursor.number(3)), cursor.take(SA_LENGTH)) for _ in range(counts[0])
            ),
            assigned_sids=_read_sids(cursor, counts[1]) if with_sids else (),
            rejected_sids=_read_sids(cursor, counts[2]) if with_sids else (),
            path=_read_path(cursor),
        )

    def serialize(self) -> bytes:
        """Build the payload for command 0x07; SID lists do not fit into it."""
        return self._serialize(sid_counts=b"", sids=b"")

    def serialize_with_sids(self) -> bytes:
        """Build the payload for command 0x0F."""
        sids = (*self.assigned_sids, *self.rejected_sids)
        return self._serialize(
            sid_counts=bytes((len(self.assigned_sids), len(self.rejected_sids))),
            sids=b"".join(sid.to_bytes(2) for sid in sids),
        )

    def _serialize(self, *, sid_counts: bytes, sids: bytes) -> bytes:
        return b"".join(
            (
                _CARD_HEAD.pack(self.share_id, self.remote_id, self.caid, self.hop, self.reshare),
                self.ua,
                bytes([len(self.providers)]),
                sid_counts,
                *(provider.ident.to_bytes(3) + provider.sa for provider in self.providers),
                sids,
                bytes([len(self.path)]),
                *self.path,
            )
        )


_CARD_HEAD = struct.Struct(">IIHBB")


def _read_sids(cursor: Cursor, count: int) -> tuple[Sid, ...]:
    return tuple(Sid(cursor.number(2)) for _ in range(count))


def _read_path(cursor: Cursor) -> tuple[NodeId, ...]:
    """Read the node list; the tail may be missing altogether (11)."""
    if not cursor.left:
        return ()
    return tuple(NodeId(cursor.take(8)) for _ in range(cursor.number(1)))


@dataclass(frozen=True, slots=True)
class CardRemoved:
    """A line of the server's card list is gone."""

    share_id: ShareId

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read the share id."""
        if len(payload) < 4:
            raise MalformedError("a card removal without a share id")
        return cls(ShareId(int.from_bytes(payload[:4])))

    def serialize(self) -> bytes:
        """Build the payload."""
        return self.share_id.to_bytes(4)
