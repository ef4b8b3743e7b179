"""What a worker and the core tell each other of one client: records of bytes, nothing else.

Theory of operation. A worker owns sockets, ciphers and frames; the core owns everything that is
decided. Between them stands the interface that every protocol object has (`wire/link.py`): what
`ServerProtocol` tells (events) goes to the core, what its owner says to it (`authenticate`,
`answer`, ...) comes back. A record is a kind, a length, and the values of one event or one call:

    told    worker to core: `tell(event)` makes it, `read_told` reads it
    said    core to worker: `Say.answer(...)` and its like make it, `apply_said` carries it out

Both ends are the same program, started by the same command, so there is no version and no
negotiation; numbers are big-endian. Nothing here is pickled: what is read is only values.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, assert_never

from cccamd.facts import Revision
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import ControlWords, Emm, Offer, Provider, Refusal, Request
from cccamd.wire.cccam import Version
from cccamd.wire.link import (
    Closed,
    CloseReason,
    EmmReceived,
    Introduced,
    LoginProved,
    LoginRequested,
    LoginSucceeded,
    OffersDue,
    Peer,
    PeerChanged,
    Remark,
    RequestDropped,
    Requested,
    ServerEvent,
    TextReceived,
)

_HEAD: Final = struct.Struct(">BI")
_REQUEST: Final = struct.Struct(">QHIIH")
_TOKEN: Final = struct.Struct(">Q")
_EMM: Final = struct.Struct(">HII")
_OFFER: Final = struct.Struct(">IIHHH8sHHHH")
_PROVIDER: Final = struct.Struct(">I4s")
_REFUSALS: Final = tuple(Refusal)
_NOBODY: Final = NodeId(bytes(8))


class Told(IntEnum):
    """What a worker tells."""

    HEARD = 1
    """The client has said something: the first byte of all."""
    LOGIN_REQUESTED = 2
    LOGIN_PROVED = 3
    LOGIN_SUCCEEDED = 4
    INTRODUCED = 5
    PEER_CHANGED = 6
    OFFERS_DUE = 7
    REQUESTED = 8
    DROPPED = 9
    EMM = 10
    TEXT = 11
    REMARK = 12
    CLOSED = 13


class Said(IntEnum):
    """What the core says."""

    AUTHENTICATE = 1
    ACCEPT_LOGIN = 2
    REFUSE_LOGIN = 3
    ANNOUNCE = 4
    WITHDRAW = 5
    ANSWER = 6
    REFUSE = 7
    KEEPALIVE = 8


@dataclass(frozen=True, slots=True)
class Retold(Remark):
    """A remark that was made in a worker: its words and its weight."""

    text: str
    is_news: bool = False
    is_routine: bool = False

    def __str__(self) -> str:
        return self.text


def pack(kind: Told | Said, body: bytes = b"") -> bytes:
    """One record."""
    return _HEAD.pack(kind, len(body)) + body


class RecordReader:
    """Cuts records out of bytes that come in whatever pieces."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def read(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The kinds and bodies of the records that are whole by now."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, size = 0, len(data)
        while size - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(data, at)
            begin = at + _HEAD.size
            if size - begin < length:
                break
            at = begin + length
            yield kind, data[begin:at]
        if at < size:
            self._rest = data[at:]


# What a worker tells.


def tell(event: ServerEvent) -> bytes:
    """The record of an event."""
    match event:
        case Requested(token, request):
            caid, ident, share_id, sid, section = request
            return pack(Told.REQUESTED, _REQUEST.pack(token, caid, ident, share_id, sid) + section)
        case LoginRequested(user):
            return pack(Told.LOGIN_REQUESTED, user)
        case LoginProved():
            return pack(Told.LOGIN_PROVED)
        case LoginSucceeded():
            return pack(Told.LOGIN_SUCCEEDED)
        case Introduced(peer):
            return pack(Told.INTRODUCED, _pack_peer(peer))
        case PeerChanged(peer):
            return pack(Told.PEER_CHANGED, _pack_peer(peer))
        case OffersDue():
            return pack(Told.OFFERS_DUE)
        case RequestDropped(token):
            return pack(Told.DROPPED, _TOKEN.pack(token))
        case EmmReceived(emm):
            return pack(Told.EMM, _EMM.pack(emm.caid, emm.ident, emm.share_id) + emm.section)
        case TextReceived(text):
            return pack(Told.TEXT, _from_text(text))
        case Remark():
            weight = bytes((event.is_news, event.is_routine))
            return pack(Told.REMARK, weight + _from_text(str(event)))
        case Closed(reason, detail):
            return pack(Told.CLOSED, _pack_end(reason, detail))
        case _:
            assert_never(event)


def read_told(kind: int, body: bytes) -> ServerEvent | None:
    """The event of a record; None: that something was heard.

    Raises:
        ValueError: it is no record of ours.
    """
    match kind:
        case Told.REQUESTED:
            token, caid, ident, share_id, sid = _REQUEST.unpack_from(body)
            section = body[_REQUEST.size :]
            request = Request(Caid(caid), Ident(ident), ShareId(share_id), Sid(sid), section)
            return Requested(token, request)
        case Told.HEARD:
            return None
        case Told.LOGIN_REQUESTED:
            return LoginRequested(body)
        case Told.LOGIN_PROVED:
            return LoginProved()
        case Told.LOGIN_SUCCEEDED:
            return LoginSucceeded()
        case Told.INTRODUCED:
            return Introduced(_unpack_peer(body))
        case Told.PEER_CHANGED:
            return PeerChanged(_unpack_peer(body))
        case Told.OFFERS_DUE:
            return OffersDue()
        case Told.DROPPED:
            return RequestDropped(*_TOKEN.unpack(body))
        case Told.EMM:
            caid, ident, share_id = _EMM.unpack_from(body)
            emm = Emm(Caid(caid), Ident(ident), ShareId(share_id), body[_EMM.size :])
            return EmmReceived(emm)
        case Told.TEXT:
            return TextReceived(_to_text(body))
        case Told.REMARK:
            return Retold(_to_text(body[2:]), is_news=bool(body[0]), is_routine=bool(body[1]))
        case Told.CLOSED:
            return Closed(*unpack_end(body))
        case _:
            raise ValueError(f"a worker told {kind}")


# What the core says: the bodies.


def pack_password(password: bytes, version: Version, *, hold: bool) -> bytes:
    """For AUTHENTICATE."""
    return pack(Said.AUTHENTICATE, bytes((hold, *version)) + password)


def unpack_password(body: bytes) -> tuple[bytes, Version, bool]:
    """The password, the version that is announced, and whether the login is held."""
    hold, *version = body[:4]
    return body[4:], Version(*version), bool(hold)


def pack_refusal_of_login(reason: CloseReason, detail: str) -> bytes:
    """For REFUSE_LOGIN."""
    return pack(Said.REFUSE_LOGIN, _pack_end(reason, detail))


def unpack_end(body: bytes) -> tuple[CloseReason, str]:
    """Why something ends, and the detail."""
    name, detail = _to_text(body).split("\n", 1)
    return CloseReason[name], detail


def _pack_end(reason: CloseReason, detail: str) -> bytes:
    return _from_text(f"{reason.name}\n{detail}")


def pack_answer(token: int, cw: ControlWords) -> bytes:
    """For ANSWER."""
    return _HEAD.pack(Said.ANSWER, 24) + _TOKEN.pack(token) + cw.raw


def unpack_answer(body: bytes) -> tuple[int, ControlWords]:
    """The token and the control words."""
    return _TOKEN.unpack_from(body)[0], ControlWords(body[_TOKEN.size :])


def pack_refusal(token: int, refusal: Refusal) -> bytes:
    """For REFUSE."""
    return pack(Said.REFUSE, _TOKEN.pack(token) + bytes((_REFUSALS.index(refusal),)))


def unpack_refusal(body: bytes) -> tuple[int, Refusal]:
    """The token, and why there is no CW."""
    return _TOKEN.unpack_from(body)[0], _REFUSALS[body[_TOKEN.size]]


def pack_withdrawal(share_id: ShareId) -> bytes:
    """For WITHDRAW."""
    return pack(Said.WITHDRAW, share_id.to_bytes(4))


def unpack_withdrawal(body: bytes) -> ShareId:
    """Which card."""
    return ShareId(int.from_bytes(body))


def pack_offer(offer: Offer) -> bytes:
    """For ANNOUNCE."""
    head = _OFFER.pack(
        offer.share_id,
        offer.remote_id,
        offer.caid,
        offer.hop,
        offer.reshare,
        offer.ua,
        len(offer.providers),
        len(offer.assigned_sids),
        len(offer.rejected_sids),
        len(offer.path),
    )
    providers = b"".join(_PROVIDER.pack(each.ident, each.sa) for each in offer.providers)
    sids = (*offer.assigned_sids, *offer.rejected_sids)
    lists = struct.pack(f">{len(sids)}H", *sids)
    return pack(Said.ANNOUNCE, b"".join((head, providers, lists, *offer.path)))


def unpack_offer(body: bytes) -> Offer:
    """The card."""
    head = _OFFER.unpack_from(body)
    share_id, remote_id, caid, hop, reshare, ua, providers, assigned, rejected, path = head
    at = _OFFER.size
    end = at + providers * _PROVIDER.size
    idents = tuple(Provider(Ident(ident), sa) for ident, sa in _PROVIDER.iter_unpack(body[at:end]))
    sids = struct.unpack_from(f">{assigned + rejected}H", body, end)
    at = end + 2 * len(sids)
    return Offer(
        share_id=ShareId(share_id),
        remote_id=remote_id,
        caid=Caid(caid),
        hop=hop,
        reshare=reshare,
        ua=ua,
        providers=idents,
        assigned_sids=tuple(map(Sid, sids[:assigned])),
        rejected_sids=tuple(map(Sid, sids[assigned:])),
        path=tuple(NodeId(body[at + 8 * n : at + 8 * n + 8]) for n in range(path)),
    )


def _pack_peer(peer: Peer) -> bytes:
    words = {
        "version": peer.version,
        "build": peer.build,
        "revision": peer.revision.name if peer.revision is not None else None,
        "program": peer.program,
        "extended": peer.extended,
        "capabilities": peer.capabilities,
        "knows_node": peer.node_id is not None,
    }
    return (peer.node_id or _NOBODY) + json.dumps(words).encode()


def _unpack_peer(body: bytes) -> Peer:
    words = json.loads(body[8:])
    revision = words["revision"]
    return Peer(
        node_id=NodeId(body[:8]) if words["knows_node"] else None,
        version=words["version"],
        build=words["build"],
        revision=Revision[revision] if revision is not None else None,
        program=words["program"],
        extended=words["extended"],
        capabilities=tuple(words["capabilities"]),
    )


def _from_text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _to_text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
