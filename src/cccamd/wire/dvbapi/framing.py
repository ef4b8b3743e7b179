"""Cuts both directions of a stream into messages (docs/dvbapi-protocol.md, sections 3 to 5).

No message has a length of its own but CA_PMT and stop: the others are as long as their operation
says, and FILTER_DATA as its section says. So a stream with an unknown operation cannot be
understood any further.
"""

from collections.abc import Callable, Iterator
from typing import Final

from cccamd.errors import CccamdError
from cccamd.ids import Caid, Ident, Sid
from cccamd.wire.dvbapi.capmt import CA_PMT_LIMIT, CaPmtError, parse_ca_pmt
from cccamd.wire.dvbapi.events import MessageIgnored, SectionIgnored
from cccamd.wire.dvbapi.messages import (
    INFO_LAYOUT,
    LEGACY_LAYOUT,
    LEGACY_ORDER,
    LONG_FORM,
    MARKED_SINCE,
    MESSAGE_MARK,
    NETWORK_LAYOUT,
    PMT_OPERATION,
    STOP_LAYOUT,
    STOP_OPERATION,
    Algorithm,
    Channel,
    ClientInfo,
    ClientMessage,
    EcmInfo,
    FilterData,
    Operation,
    Parity,
    ServerInfo,
    ServerMessage,
    SetDescrambler,
    SetFilter,
    SetMode,
    SetPid,
    StopFilter,
    parse_stop,
)
from cccamd.wire.dvbapi.sections import (
    SECTION_HEAD,
    SHORTEST_BODY,
    SectionMatch,
    section_length,
)

_OPERATION: Final = 4
_MARK: Final = 5
_INFO_HEAD: Final = 3
_HANDLES: Final = 2
_OBJECT: Final = 3
"""Bytes of the operations of a common interface, whose length follows."""


class FramingError(CccamdError):
    """The stream cannot be understood from here on."""


class Incomplete(Exception):
    """The message has not come whole yet."""


ClientSays = ClientMessage | MessageIgnored | SectionIgnored
Cut = tuple[int, ClientSays]
"""Message id (0 below version 3), and what was said."""


class ClientReader:
    """Cuts what a client sends; knows its version from its CLIENT_INFO on."""

    __slots__ = ("_buffer", "version")

    def __init__(self) -> None:
        self.version = 0
        self._buffer = b""

    def messages(self, data: bytes) -> Iterator[Cut]:
        """Take `data` in and yield each message that is complete now.

        Raises:
            FramingError: after everything before the fault was yielded.
        """
        self._buffer += data
        at = 0
        try:
            while at < len(self._buffer):
                start, message_id = self._unmark(at)
                at, message = self._message(start)
                yield message_id, message
        except Incomplete:
            pass
        finally:
            self._buffer = self._buffer[at:]

    def _unmark(self, at: int) -> tuple[int, int]:
        """Where the operation begins, and the message id.

        A message without one is let pass: CLIENT_INFO has none, and what was under way
        while the version was agreed on has none either.
        """
        if self.version < MARKED_SINCE or self._buffer[at] != MESSAGE_MARK:
            return at, 0
        return at + _MARK, int.from_bytes(_take(self._buffer, at + 1, _MARK - 1))

    def _message(self, at: int) -> tuple[int, ClientSays]:
        """Where the message ends, and the message."""
        operation = _take(self._buffer, at, _OPERATION)
        if operation.startswith((PMT_OPERATION, STOP_OPERATION)):
            return self._object(at)
        match int.from_bytes(operation):
            case Operation.FILTER_DATA:
                return self._section(at + _OPERATION)
            case Operation.CLIENT_INFO:
                return self._client_info(at + _OPERATION)
        raise FramingError(f"it sent {operation.hex()}, which is no operation of a client")

    def _object(self, at: int) -> tuple[int, ClientSays]:
        start, length = _object_length(self._buffer, at + _OBJECT)
        if length > CA_PMT_LIMIT:
            raise FramingError(f"it announced {length} bytes where {CA_PMT_LIMIT} are the most")
        body = _take(self._buffer, start, length)
        if self._buffer[at : at + _OBJECT] == STOP_OPERATION:
            return start + length, parse_stop(body) or MessageIgnored("stop", body[:8].hex())
        try:
            return start + length, parse_ca_pmt(body)
        except CaPmtError as error:
            return start + length, MessageIgnored("CA_PMT", str(error))

    def _section(self, at: int) -> tuple[int, ClientSays]:
        demux, number = _take(self._buffer, at, _HANDLES)
        start = at + _HANDLES
        length = section_length(_take(self._buffer, start, SECTION_HEAD))
        section = _take(self._buffer, start, length)
        if length < SECTION_HEAD + SHORTEST_BODY:
            return start + length, SectionIgnored(demux, number, len(section))
        return start + length, FilterData(demux, number, section)

    def _client_info(self, at: int) -> tuple[int, ClientSays]:
        head = _take(self._buffer, at, _INFO_HEAD)
        text = _take(self._buffer, at + _INFO_HEAD, head[-1])
        # Who says 0 knows CLIENT_INFO, and so the forms of 1.
        self.version = max(1, int.from_bytes(head[:2]))
        info = ClientInfo(self.version, _readable(text))
        return at + _INFO_HEAD + len(text), info


class ServerReader:
    """Cuts what a server sends to a client of one version; what the tests' clients read with."""

    __slots__ = ("_buffer", "_version")

    def __init__(self, version: int) -> None:
        self._version = version
        self._buffer = b""

    def messages(self, data: bytes) -> Iterator[tuple[Channel, ServerMessage | ServerInfo]]:
        """Take `data` in and yield each message that is complete now.

        Raises:
            FramingError: after everything before the fault was yielded.
        """
        self._buffer += data
        at = 0
        try:
            while at < len(self._buffer):
                end, channel, message = self._message(at)
                at = end
                yield channel, message
        except Incomplete:
            pass
        finally:
            self._buffer = self._buffer[at:]

    def _message(self, at: int) -> tuple[int, Channel, ServerMessage | ServerInfo]:
        message_id = 0
        if self._version >= MARKED_SINCE:
            mark = _take(self._buffer, at, _MARK)
            if mark[0] != MESSAGE_MARK:
                raise FramingError(f"it sent {mark.hex()}, where a message begins with a5")
            message_id = int.from_bytes(mark[1:])
            at += _MARK
        if self._version == 0:
            adapter = _take(self._buffer, at, 1)[0]
            operation = int.from_bytes(_take(self._buffer, at + 1, _OPERATION), LEGACY_ORDER)
        else:
            operation = int.from_bytes(_take(self._buffer, at, _OPERATION))
            if operation == Operation.SERVER_INFO:
                return self._server_info(at + _OPERATION, message_id)
            adapter = _take(self._buffer, at + _OPERATION, 1)[0]
        read = _BODIES.get(operation)
        if read is None:
            raise FramingError(f"it sent {operation:08x}, which is no operation of a server")
        end, message = read(self._buffer, at + _OPERATION + 1, self._version == 0)
        return end, Channel(adapter, message_id), message

    def _server_info(self, at: int, message_id: int) -> tuple[int, Channel, ServerInfo]:
        head = _take(self._buffer, at, _INFO_HEAD)
        text = _take(self._buffer, at + _INFO_HEAD, head[-1])
        info = ServerInfo(int.from_bytes(head[:2]), _readable(text))
        return at + _INFO_HEAD + len(text), Channel(0, message_id), info


Read = tuple[int, ServerMessage]


def _read_filter(data: bytes, at: int, legacy: bool) -> Read:
    layout = (LEGACY_LAYOUT if legacy else NETWORK_LAYOUT).set_filter
    demux, number, pid, value, mask, _, _, _ = layout.unpack(_take(data, at, layout.size))
    return at + layout.size, SetFilter(demux, number, pid, SectionMatch(value, mask))


def _read_stop(data: bytes, at: int, legacy: bool) -> Read:
    size = STOP_LAYOUT.size
    return at + size, StopFilter(*STOP_LAYOUT.unpack(_take(data, at, size)))


def _read_pid(data: bytes, at: int, legacy: bool) -> Read:
    layout = (LEGACY_LAYOUT if legacy else NETWORK_LAYOUT).set_pid
    return at + layout.size, SetPid(*layout.unpack(_take(data, at, layout.size)))


def _read_descrambler(data: bytes, at: int, legacy: bool) -> Read:
    layout = (LEGACY_LAYOUT if legacy else NETWORK_LAYOUT).set_descrambler
    index, parity, cw = layout.unpack(_take(data, at, layout.size))
    if parity > Parity.ODD:
        raise FramingError(f"it sent the CW of a parity {parity}")
    return at + layout.size, SetDescrambler(index, Parity(parity), cw)


def _read_mode(data: bytes, at: int, legacy: bool) -> Read:
    layout = (LEGACY_LAYOUT if legacy else NETWORK_LAYOUT).set_mode
    index, algorithm, mode = layout.unpack(_take(data, at, layout.size))
    if algorithm > Algorithm.CSA_VARIANT:
        raise FramingError(f"it named a cipher {algorithm}")
    return at + layout.size, SetMode(index, Algorithm(algorithm), bool(mode))


def _read_ecm_info(data: bytes, at: int, legacy: bool) -> Read:
    service, caid, pid, ident, time = INFO_LAYOUT.unpack(_take(data, at, INFO_LAYOUT.size))
    at += INFO_LAYOUT.size
    texts: list[str] = []
    for _ in range(4):
        length = _take(data, at, 1)[0]
        texts.append(_readable(_take(data, at + 1, length)))
        at += 1 + length
    return at + 1, EcmInfo(
        service=Sid(service),
        caid=Caid(caid),
        pid=pid,
        ident=Ident(ident),
        milliseconds=time,
        system=texts[0],
        reader=texts[1],
        source=texts[2],
        protocol=texts[3],
        hops=_take(data, at, 1)[0],
    )


_BODIES: Final[dict[int, Callable[[bytes, int, bool], Read]]] = {
    Operation.SET_FILTER: _read_filter,
    Operation.STOP_FILTER: _read_stop,
    Operation.SET_PID: _read_pid,
    Operation.SET_DESCRAMBLER: _read_descrambler,
    Operation.SET_MODE: _read_mode,
    Operation.ECM_INFO: _read_ecm_info,
}


def _take(data: bytes, at: int, length: int) -> bytes:
    """These bytes of what came.

    Raises:
        Incomplete: they have not all come.
    """
    if at + length > len(data):
        raise Incomplete
    return data[at : at + length]


def _object_length(data: bytes, at: int) -> tuple[int, int]:
    """Where the body begins, and its length, which has one byte or says how many it has."""
    first = _take(data, at, 1)[0]
    if first < LONG_FORM:
        return at + 1, first
    digits = first - LONG_FORM
    if not 1 <= digits <= 4:
        raise FramingError(f"it sent a length of {digits} bytes")
    return at + 1 + digits, int.from_bytes(_take(data, at + 1, digits))


def _readable(text: bytes) -> str:
    """What a peer calls itself, as it can stand in a log."""
    letters = text.decode(errors="replace")
    return "".join(letter if letter.isprintable() else " " for letter in letters).strip()
