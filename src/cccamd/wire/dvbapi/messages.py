"""The messages of both sides, as values and as bytes.

Source: docs/dvbapi-protocol.md, sections 3, 4, 10 and 11.

Server to client: `ServerInfo`, `SetFilter`, `StopFilter`, `SetPid`, `SetDescrambler`, `EcmInfo`,
`SetMode`. Client to server: `ClientInfo`, `CaPmt`, `Stop`, `FilterData`. `Channel` is what a
message for a service is addressed with: the adapter of its CA_PMT, and its message id.

`serialize_for_client` and `serialize_for_server` build whole messages in any version;
`cccamd.wire.dvbapi.framing` cuts them out of a stream again.
"""

import sys
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from cccamd.ids import Caid, Ident, Sid
from cccamd.values import HALF_LENGTH
from cccamd.wire.dvbapi.capmt import CaPmt, serialize_ca_pmt
from cccamd.wire.dvbapi.sections import MATCH_LENGTH, SectionMatch

NEWEST: Final = 3
"""The version that we speak at most."""
MESSAGE_MARK: Final = 0xA5
"""Begins a message of version 3, before its number."""
MARKED_SINCE: Final = 3
ECM_INFO_SINCE: Final = 2
MODE_SINCE: Final = 3
ALL_SERVICES: Final = 0xFF
"""In a `Stop`: whatever this connection has."""
NO_INDEX: Final = -1
INFO_TEXT_LIMIT: Final = 63
"""Bytes of each text in ECM_INFO: minisatip has room for so many."""
CLIENT_TEXT_LIMIT: Final = 255

LEGACY_ORDER: Final = sys.byteorder
"""Version 0 has the numbers of the machine that the server runs on."""

PMT_OPERATION: Final = bytes.fromhex("9f8032")
STOP_OPERATION: Final = bytes.fromhex("9f803f")
_STOP_HEAD: Final = bytes.fromhex("830200")
LONG_FORM: Final = 0x80


class Operation(IntEnum):
    """The operations of four bytes."""

    CLIENT_INFO = 0xFFFF0001
    SERVER_INFO = 0xFFFF0002
    FILTER_DATA = 0xFFFF0000
    ECM_INFO = 0xFFFF0003
    SET_FILTER = 0x403C6F2B
    STOP_FILTER = 0x00006F2A
    SET_PID = 0x40086F87
    SET_DESCRAMBLER = 0x40106F86
    SET_MODE = 0x400C6F88


class Parity(IntEnum):
    """Which packets a CW is for."""

    EVEN = 0
    ODD = 1


class Algorithm(IntEnum):
    """Ciphers of `SetMode`."""

    DVB_CSA = 0
    DES = 1
    AES_128 = 2
    CSA_VARIANT = 3


class Channel(NamedTuple):
    """How a message for a service is addressed: as the CA_PMT of that service was."""

    adapter: int = 0
    message_id: int = 0
    """The client's number for the service, version 3; else 0."""


# Server to client.


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Who the server is; the only message without an adapter."""

    version: int
    text: str

    operation = Operation.SERVER_INFO


@dataclass(frozen=True, slots=True)
class SetFilter:
    """Send us the sections of a PID that match; replaces the filter of that number."""

    demux: int
    filter: int
    pid: int
    match: SectionMatch

    operation = Operation.SET_FILTER


@dataclass(frozen=True, slots=True)
class StopFilter:
    """Send us none of them any more."""

    demux: int
    filter: int
    pid: int

    operation = Operation.STOP_FILTER


@dataclass(frozen=True, slots=True)
class SetPid:
    """Descramble a stream with the keys of an index; `NO_INDEX`: not any more."""

    pid: int
    index: int

    operation = Operation.SET_PID


@dataclass(frozen=True, slots=True)
class SetDescrambler:
    """The key of one parity. Never shows it: a CW is a secret."""

    index: int
    parity: Parity
    cw: bytes = field(repr=False)

    operation = Operation.SET_DESCRAMBLER

    def __post_init__(self) -> None:
        if len(self.cw) != HALF_LENGTH:
            raise ValueError(f"half a control word is {HALF_LENGTH} bytes, not {len(self.cw)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EcmInfo:
    """Where the last CW came from, for people. Texts are cut to what clients have room for."""

    service: Sid
    caid: Caid
    pid: int
    ident: Ident
    milliseconds: int
    """How long the answer took."""
    system: str = ""
    """The CA system."""
    reader: str = ""
    source: str = ""
    """The card's name, or "cache"; never the address of a peer."""
    protocol: str = ""
    hops: int = 0

    operation = Operation.ECM_INFO


@dataclass(frozen=True, slots=True)
class SetMode:
    """The cipher of an index, where it is not DVB-CSA; `chained`: CBC, not ECB."""

    index: int
    algorithm: Algorithm
    chained: bool = False

    operation = Operation.SET_MODE


ServerMessage = SetFilter | StopFilter | SetPid | SetDescrambler | EcmInfo | SetMode
"""What is addressed to a service."""


def serialize_server_info(info: ServerInfo, version: int) -> bytes:
    """Build a SERVER_INFO for a client of this version; nothing else may be in the same write."""
    text = info.text.encode()[:CLIENT_TEXT_LIMIT]
    said = info.operation.to_bytes(4) + info.version.to_bytes(2) + bytes((len(text),)) + text
    return _mark(0) + said if version >= MARKED_SINCE else said


def serialize_for_client(message: ServerMessage, channel: Channel, version: int) -> bytes:
    """Build a message as clients of this version read it.

    Raises:
        ValueError, OverflowError: a number does not fit into its field.
    """
    adapter = bytes((channel.adapter,))
    if version == 0:
        operation = message.operation.to_bytes(4, LEGACY_ORDER)
        return adapter + operation + _body(message, legacy=True)
    said = message.operation.to_bytes(4) + adapter + _body(message, legacy=False)
    return _mark(channel.message_id) + said if version >= MARKED_SINCE else said


def _mark(message_id: int) -> bytes:
    return bytes((MESSAGE_MARK,)) + message_id.to_bytes(4)


class Layout(NamedTuple):
    """The fixed forms of one byte order."""

    set_filter: Struct
    set_pid: Struct
    set_descrambler: Struct
    set_mode: Struct


_FILTER: Final = f"BBH{MATCH_LENGTH}s{MATCH_LENGTH}s{MATCH_LENGTH}s"
_LEGACY_SIGN: Final = "<" if LEGACY_ORDER == "little" else ">"
NETWORK_LAYOUT: Final = Layout(
    Struct(f">{_FILTER}II"), Struct(">Ii"), Struct(">II8s"), Struct(">III")
)
LEGACY_LAYOUT: Final = Layout(
    Struct(f"{_LEGACY_SIGN}{_FILTER}2xII"),
    Struct(f"{_LEGACY_SIGN}Ii"),
    Struct(f"{_LEGACY_SIGN}II8s"),
    Struct(f"{_LEGACY_SIGN}III"),
)
STOP_LAYOUT: Final = Struct(">BBH")
"""Its PID is big-endian even in version 0."""
INFO_LAYOUT: Final = Struct(">HHHII")
_START_AT_ONCE: Final = 4


def _body(message: ServerMessage, *, legacy: bool) -> bytes:
    layout = LEGACY_LAYOUT if legacy else NETWORK_LAYOUT
    match message:
        case SetFilter(demux, number, pid, wanted):
            return layout.set_filter.pack(
                demux, number, pid, wanted.value, wanted.mask, b"", 0, _START_AT_ONCE
            )
        case StopFilter(demux, number, pid):
            return STOP_LAYOUT.pack(demux, number, pid)
        case SetPid(pid, index):
            return layout.set_pid.pack(pid, index)
        case SetDescrambler(index, parity, cw):
            return layout.set_descrambler.pack(index, parity, cw)
        case SetMode(index, algorithm, chained):
            return layout.set_mode.pack(index, algorithm, chained)
        case EcmInfo():
            return _info_body(message)


def _info_body(info: EcmInfo) -> bytes:
    time = min(info.milliseconds, 0xFFFFFFFF)
    numbers = INFO_LAYOUT.pack(info.service, info.caid, info.pid, info.ident, time)
    texts = (info.system, info.reader, info.source, info.protocol)
    return numbers + b"".join(_info_text(text) for text in texts) + bytes((min(info.hops, 0xFF),))


def _info_text(text: str) -> bytes:
    """A text without line ends and other things that do not print, cut between two letters."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    raw = shown.encode(errors="replace")[:INFO_TEXT_LIMIT]
    raw = raw.decode(errors="ignore").encode()
    return bytes((len(raw),)) + raw


# Client to server.


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """Who the client is, and which version it speaks; never carries a message id."""

    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Services end: which ones, section 7 tells."""

    number: int


@dataclass(frozen=True, slots=True)
class FilterData:
    """A section that one of our filters let through."""

    demux: int
    filter: int
    section: bytes


ClientMessage = ClientInfo | CaPmt | Stop | FilterData


def serialize_for_server(
    message: ClientMessage, version: int, message_id: int = 0, *, universal: bool = False
) -> bytes:
    """Build a message as a client of this version sends it.

    `universal`: the form of a CA_PMT (`serialize_ca_pmt`).

    Raises:
        ValueError, OverflowError: a part does not fit into its field.
    """
    match message:
        case ClientInfo(said, text):
            raw = text.encode()[:CLIENT_TEXT_LIMIT]
            operation = Operation.CLIENT_INFO.to_bytes(4)
            return operation + said.to_bytes(2) + bytes((len(raw),)) + raw
        case Stop(number):
            body = _STOP_HEAD + bytes((number,))
            raw = STOP_OPERATION + bytes((len(body),)) + body
        case FilterData(demux, number, section):
            raw = Operation.FILTER_DATA.to_bytes(4) + bytes((demux, number)) + section
        case CaPmt():
            body = serialize_ca_pmt(message, universal=universal)
            raw = PMT_OPERATION + bytes((LONG_FORM | 2,)) + len(body).to_bytes(2) + body
    return _mark(message_id) + raw if version >= MARKED_SINCE else raw


def parse_stop(body: bytes) -> Stop | None:
    """Read what follows operation and length of a stop; None: it is none."""
    if len(body) != len(_STOP_HEAD) + 1 or not body.startswith(_STOP_HEAD[:2]):
        return None
    return Stop(body[-1])
