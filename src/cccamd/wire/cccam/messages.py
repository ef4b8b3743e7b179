"""The messages: what the core has a value for is translated here, the rest are values here.

Parsing takes a payload and raises `MalformedError`; serializing gives a payload back.
Source: docs/protocol.md sections 5 to 11.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from cccamd.ids import NodeId
from cccamd.values import Emm, Refusal, Request
from cccamd.wire.cccam.cursor import MalformedError
from cccamd.wire.cccam.frames import Command
from cccamd.wire.cccam.versions import Capabilities
from cccamd.wire.link import TextReceived

IDENT_MASK = 0xFFFFFF
TEXT_LENGTH = 32
CLIENT_DATA_MINIMUM = 62
SERVER_DATA_LENGTH = 72
ECM_LIMIT = 1007
EMM_LIMIT = 1008
PARTNER_PREFIX = "PARTNER: "

NOK_COMMANDS = {
    Refusal.CANNOT_DECODE: Command.NOK2,
    Refusal.PASSING: Command.NOK1,
    Refusal.NOT_SENT: Command.NOK1,
    Refusal.LATE: Command.NOK1,
    Refusal.ASLEEP: Command.NOK1,
    Refusal.FAILED: Command.NOK1,
}
"""How a refusal is said: 0xFF means "this card never", 0xFE "ask again" (13.8)."""


def _pack_text(text: str) -> bytes:
    return text.encode("ascii", "replace")[: TEXT_LENGTH - 1].ljust(TEXT_LENGTH, b"\0")


@lru_cache(maxsize=256)  # so all clients of one program share its version and build
def _unpack_text(field: bytes) -> str:
    """Some start a few zero bytes late, others leave their memory behind the end (6)."""
    return printable(field.lstrip(b"\0").split(b"\0", 1)[0])


def printable(raw: bytes) -> str:
    """Make a peer's text safe for a line of a log."""
    text = raw.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientData:
    """Who the client is. `user` is as it came; `version` is the text that was announced."""

    user: bytes
    node_id: NodeId
    want_emus: bool = False
    version: str
    build: str

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read 62 to 93 bytes; what is missing of the texts is taken as empty."""
        if len(payload) < CLIENT_DATA_MINIMUM:
            raise MalformedError(f"client data needs at least {CLIENT_DATA_MINIMUM} bytes")
        return cls(
            user=payload[:20].split(b"\0", 1)[0],
            node_id=NodeId(payload[20:28]),
            want_emus=payload[28] != 0,
            version=_unpack_text(payload[29:61]),
            build=_unpack_text(payload[61:93]),
        )

    def serialize(self) -> bytes:
        """Build the 93 bytes."""
        head = self.user.ljust(20, b"\0") + self.node_id + bytes([self.want_emus])
        return head + _pack_text(self.version) + _pack_text(self.build)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerData:
    """Who the server is."""

    node_id: NodeId
    version: str
    build: str
    version_field: bytes = b""
    """The 32 bytes of the version as they came: part of the key of challenge 0x0B."""

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read exactly 72 bytes."""
        if len(payload) != SERVER_DATA_LENGTH:
            raise MalformedError(f"server data is {SERVER_DATA_LENGTH} bytes")
        return cls(
            node_id=NodeId(payload[:8]),
            version=_unpack_text(payload[8:40]),
            build=_unpack_text(payload[40:72]),
            version_field=payload[8:40],
        )

    def serialize(self) -> bytes:
        """Build the 72 bytes."""
        return self.node_id + _pack_text(self.version) + _pack_text(self.build)


_ECM_HEAD = struct.Struct(">HIIHB")
_EMM_HEAD = struct.Struct(">HxIIB")


def parse_ecm(payload: bytes) -> Request:
    """Read a request; the frame's length counts, not the length byte (7).

    Raises:
        MalformedError: there is no ECM in it.
    """
    if len(payload) <= _ECM_HEAD.size:
        raise MalformedError("an ECM request without an ECM")
    caid, ident, share_id, sid, _ = _ECM_HEAD.unpack_from(payload)
    fields = (caid, ident & IDENT_MASK, share_id, sid, payload[_ECM_HEAD.size :])
    return tuple.__new__(Request, fields)  # it is built for every single ECM


def serialize_ecm(request: Request) -> bytes:
    """Build the payload of a request.

    Raises:
        ValueError: the ECM is empty or longer than 1,007 bytes.
    """
    caid, ident, share_id, sid, section = request
    if not 1 <= len(section) <= ECM_LIMIT:
        raise ValueError(f"an ECM has 1 to {ECM_LIMIT} bytes, not {len(section)}")
    return _ECM_HEAD.pack(caid, ident, share_id, sid, len(section) & 0xFF) + section


def parse_emm(payload: bytes) -> Emm:
    """Read an EMM; the frame's length counts, not the length byte (10).

    Raises:
        MalformedError: there is no EMM in it.
    """
    if len(payload) <= _EMM_HEAD.size:
        raise MalformedError("an EMM message without an EMM")
    caid, ident, share_id, _ = _EMM_HEAD.unpack_from(payload)
    return Emm(caid, ident & IDENT_MASK, share_id, payload[_EMM_HEAD.size :])


def serialize_emm(emm: Emm) -> bytes:
    """Build the payload of an EMM.

    Raises:
        ValueError: the EMM is empty or longer than 1,008 bytes.
    """
    length = len(emm.section)
    if not 1 <= length <= EMM_LIMIT:
        raise ValueError(f"an EMM has 1 to {EMM_LIMIT} bytes, not {length}")
    return _EMM_HEAD.pack(emm.caid, emm.ident, emm.share_id, length & 0xFF) + emm.section


@dataclass(frozen=True, slots=True)
class PartnerText:
    """A program's own name, and what it can do beyond the plain protocol (9)."""

    program: str
    capabilities: Capabilities

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text behind `PARTNER: `; unknown capabilities are left out."""
        program, bracket, names = text.rpartition("[")
        if not bracket:
            return cls(text.strip(), Capabilities.NONE)
        capabilities = Capabilities.NONE
        for name in names.rstrip("] ").split(","):
            capabilities |= Capabilities.__members__.get(name.strip(), Capabilities.NONE)
        return cls(program.strip(), capabilities)

    def serialize(self) -> bytes:
        """Build the payload of a 0xFE frame, with its final zero byte."""
        names = ",".join(self.capabilities.names)
        return f"{PARTNER_PREFIX}{self.program} [{names}]".encode() + b"\0"


@lru_cache(maxsize=256)  # clients of one program say the same, and what they say is long
def parse_text(payload: bytes) -> PartnerText | TextReceived:
    """Read the payload of a 0xFE frame that carries one; it is empty if nobody could read it."""
    text = printable(payload.rstrip(b"\0"))
    if not text.strip("? \N{REPLACEMENT CHARACTER}"):
        return TextReceived("")
    if text.startswith(PARTNER_PREFIX):
        return PartnerText.parse(text.removeprefix(PARTNER_PREFIX))
    return TextReceived(text)
