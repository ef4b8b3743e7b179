"""A server's card list on the wire: a card offered, a card withdrawn.

Source: docs/protocol.md section 11.
"""

import struct
from dataclasses import replace

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import SA_LENGTH, UA_LENGTH, Offer, Provider
from cccamd.wire.cccam.cursor import Cursor, MalformedError
from cccamd.wire.cccam.frames import PAYLOAD_LIMIT

SIDS_LIMIT = 200
"""More assigned or rejected SIDs than this no peer takes."""
_HEAD = struct.Struct(">IIHBB")
_NODE_LENGTH = 8
_PROVIDER_LENGTH = 3 + SA_LENGTH
_SID_LENGTH = 2
# Up to the UA, the three counts of 0x0F, and the count of the path.
_FIXED_LENGTH = _HEAD.size + UA_LENGTH + 3 + 1


def parse_offer(payload: bytes, *, with_sids: bool) -> Offer:
    """Read a card of command 0x07, or with SID lists of 0x0F.

    Raises:
        MalformedError: the payload ends too early.
    """
    cursor = Cursor(payload)
    share_id = ShareId(cursor.number(4))
    remote_id = cursor.number(4)
    caid = Caid(cursor.number(2))
    hop, reshare = cursor.number(1), cursor.number(1)
    ua = cursor.take(UA_LENGTH)
    counts = [cursor.number(1) for _ in range(3 if with_sids else 1)]
    return Offer(
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


def serialize_offer(offer: Offer, *, with_sids: bool) -> bytes:
    """Build the payload for command 0x0F, or 0x07, into which no SID lists fit."""
    sid_counts, sids = b"", b""
    if with_sids:
        sid_counts = bytes((len(offer.assigned_sids), len(offer.rejected_sids)))
        sids = b"".join(sid.to_bytes(2) for sid in (*offer.assigned_sids, *offer.rejected_sids))
    return b"".join(
        (
            _HEAD.pack(offer.share_id, offer.remote_id, offer.caid, offer.hop, offer.reshare),
            offer.ua,
            bytes([len(offer.providers)]),
            sid_counts,
            *(provider.ident.to_bytes(3) + provider.sa for provider in offer.providers),
            sids,
            bytes([len(offer.path)]),
            *offer.path,
        )
    )


def parse_withdrawal(payload: bytes) -> ShareId:
    """Read the share id of command 0x04.

    Raises:
        MalformedError: there is none.
    """
    if len(payload) < 4:
        raise MalformedError("a card removal without a share id")
    return ShareId(int.from_bytes(payload[:4]))


def serialize_withdrawal(share_id: ShareId) -> bytes:
    """Build the payload of command 0x04."""
    return share_id.to_bytes(4)


def fitted(offer: Offer) -> Offer | None:
    """Leave out what a frame cannot hold, the least harmful first; None: not even the path fits.

    Rejected SIDs are a hint that saves refused requests. An assigned SID is one service, a
    provider all of its services; one of each must stay, because an empty list means "all".
    The path is never cut: it is what stops loops.
    """
    rejected_sids, assigned_sids = (
        offer.rejected_sids[:SIDS_LIMIT],
        offer.assigned_sids[:SIDS_LIMIT],
    )
    room = PAYLOAD_LIMIT - _FIXED_LENGTH - _NODE_LENGTH * len(offer.path)
    assigned, providers, rejected = len(assigned_sids), len(offer.providers), len(rejected_sids)
    wanted = _PROVIDER_LENGTH * providers + _SID_LENGTH * assigned
    if wanted + _SID_LENGTH * rejected > room:
        rejected = max(0, (room - wanted) // _SID_LENGTH)
        assigned = _kept(assigned, _SID_LENGTH, room - _PROVIDER_LENGTH * providers)
        providers = _kept(providers, _PROVIDER_LENGTH, room - _SID_LENGTH * assigned)
        if _PROVIDER_LENGTH * providers + _SID_LENGTH * assigned > room:
            return None
    elif assigned == len(offer.assigned_sids) and rejected == len(offer.rejected_sids):
        return offer
    return replace(
        offer,
        providers=offer.providers[:providers],
        assigned_sids=assigned_sids[:assigned],
        rejected_sids=rejected_sids[:rejected],
    )


def _kept(count: int, length: int, room: int) -> int:
    return min(count, max(1, room // length))


def _read_sids(cursor: Cursor, count: int) -> tuple[Sid, ...]:
    return tuple(Sid(cursor.number(2)) for _ in range(count))


def _read_path(cursor: Cursor) -> tuple[NodeId, ...]:
    """Read the node list; the tail may be missing altogether (11)."""
    if not cursor.left:
        return ()
    return tuple(NodeId(cursor.take(_NODE_LENGTH)) for _ in range(cursor.number(1)))
