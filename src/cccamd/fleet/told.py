"""What nodes tell each other of an ECM, as bytes: sealed before the engine gets them."""

import struct
from dataclasses import dataclass

from cccamd.ids import Caid, NodeId, is_fleet_name
from cccamd.values import CW_LENGTH, FINGERPRINT_LENGTH, CardId, ControlWords, Fingerprint

_TOLD, _NOTHING = 1, 2
_CARD = struct.Struct(">8sIH")
_MS = struct.Struct(">H")
MS_LIMIT = 0xFFFF
_TOLD_SIZE = _CARD.size + 1 + _MS.size + CW_LENGTH


@dataclass(frozen=True, slots=True)
class Told:
    """A card of a node gave a CW, which that node takes for right."""

    node: str
    fingerprint: Fingerprint
    card: CardId
    cw: ControlWords
    corrects: bool = False
    """Whether the node has told a wrong one of this ECM before."""
    ms: int = 0
    """Milliseconds from the claim to the CW, `MS_LIMIT` at most; 0: nothing was claimed."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """A node that had the claim to an ECM got no CW: it is somebody else's turn."""

    node: str
    fingerprint: Fingerprint
    turn: int


Message = Told | Nothing


def encode(message: Message) -> bytes:
    """Write a message down."""
    node = message.node.encode()
    if not is_fleet_name(message.node):
        raise ValueError(f"no name of a node: {message.node!r}")
    head = bytes((len(node),)) + node + message.fingerprint
    if isinstance(message, Nothing):
        return bytes((_NOTHING,)) + head + bytes((message.turn,))
    card = _CARD.pack(message.card.origin, message.card.remote_id, message.card.caid)
    flags = bytes((message.corrects,)) + _MS.pack(message.ms)
    return bytes((_TOLD,)) + head + card + flags + message.cw.raw


def decode(data: bytes) -> Message | None:
    """Read one; None: it is none, as of a version to come."""
    try:
        kind, length = data[0], data[1]
        node = data[2 : 2 + length].decode()
        at = 2 + length + FINGERPRINT_LENGTH
        fingerprint, rest = data[2 + length : at], data[at:]
        if not is_fleet_name(node) or not rest:
            return None
        if kind == _NOTHING and len(rest) == 1:
            return Nothing(node, fingerprint, rest[0])
        if kind == _TOLD and len(rest) == _TOLD_SIZE and rest[_CARD.size] < 2:
            origin, remote_id, caid = _CARD.unpack_from(rest)
            card = CardId(NodeId(origin), remote_id, Caid(caid))
            (ms,) = _MS.unpack_from(rest, _CARD.size + 1)
            cw = ControlWords(rest[-CW_LENGTH:])
            return Told(node, fingerprint, card, cw, corrects=bool(rest[_CARD.size]), ms=ms)
    except (IndexError, UnicodeDecodeError):
        pass
    return None
