"""CA_PMT: what a receiver program says of a service that it wants clear.

Source: docs/dvbapi-protocol.md, section 5.

`parse_ca_pmt` reads the body of a message, `serialize_ca_pmt` writes one. The values:

- `CaPmt`: the service, where it is received, its streams, its CA descriptors.
- `CaDescriptor`: one CA descriptor as it came; `sources` says which ECM PIDs it names.
- `EcmSource`: CAID, ECM PID, provider: what can be tried.
- `StreamSet`: streams that share one key, with the sources of that key: `CaPmt.stream_sets`.
- `ServiceId`: how a connection tells its services apart: `CaPmt.identity`.
- `CaPmt.contents`: equal as long as nothing changed that matters, whatever its version says.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final, NamedTuple

from cccamd.ids import Caid, Ident, Sid

NO_PID: Final = 0x1FFF
"""A CA descriptor with this PID names no ECMs: a constant CW, or a guess of the receiver's."""
CA_PMT_LIMIT: Final = 8192
"""Bytes of one CA_PMT: a PMT has 1,024 at most, and private descriptors add a few."""

STREAMS_LIMIT: Final = 256
SOURCES_LIMIT: Final = 192
"""ECM PIDs of one CA_PMT, wherever they are: so much is looked at in a millisecond or two, and
broadcasts have forty at most."""

_PID_MASK: Final = 0x1FFF
_LENGTH_MASK: Final = 0x0FFF
_HEAD: Final = 6
_STREAM_HEAD: Final = 5
_CA_TAG: Final = 0x09
_NETWORK_TAG: Final = 0x81
_PLACE_TAG: Final = 0x82
_ADAPTER_TAG: Final = 0x83
_PMT_PID_TAG: Final = 0x84
_USES_TAG: Final = 0x85
_DEMUX_TAG: Final = 0x86
_CA_DEVICE_TAG: Final = 0x87


class CaPmtError(Exception):
    """A CA_PMT is too short to say which service it is about."""


class ListManagement(IntEnum):
    """How a CA_PMT changes the list of services of its connection (section 6)."""

    MORE = 0
    FIRST = 1
    LAST = 2
    ONLY = 3
    ADD = 4
    UPDATE = 5

    @classmethod
    def _missing_(cls, value: object) -> "ListManagement":
        return cls.ADD  # what nobody sends: it harms no other service


class Command(IntEnum):
    """What is to be done with the service."""

    DECODE = 1
    QUERY_MMI = 2
    QUERY = 3
    NOT_SELECTED = 4

    @classmethod
    def _missing_(cls, value: object) -> "Command":
        return cls.DECODE  # old clients send 0


class EcmSource(NamedTuple):
    """Where ECMs of a CA system are."""

    caid: Caid
    pid: int
    ident: Ident = Ident(0)
    """The provider; 0: unknown, so it matches any."""


class NetworkIds(NamedTuple):
    """The multiplex of a service, as tag 81 has it."""

    namespace: int
    """32 bits of Enigma's; tvheadend says 0."""
    tsid: int
    onid: int


class ServiceId(NamedTuple):
    """What names a service within its connection."""

    adapter: int
    service: Sid
    network: NetworkIds | None


@dataclass(frozen=True, slots=True)
class CaDescriptor:
    """A CA descriptor: CAID, PID of the ECMs, private bytes of the CA system."""

    caid: Caid
    pid: int
    private: bytes = b""

    @property
    def sources(self) -> tuple[EcmSource, ...]:
        """The ECM PIDs it names, most often one; none for `NO_PID`."""
        read = _PROVIDERS.get(self.caid) or _PROVIDERS.get(self.caid & 0xFF00)
        first = EcmSource(self.caid, self.pid, read(self.private) if read else Ident(0))
        further = _seca_blocks(self) if self.caid >> 8 == _SECA else ()
        return tuple(source for source in (first, *further) if source.pid != NO_PID)


@dataclass(frozen=True, slots=True)
class Stream:
    """An elementary stream, with the CA descriptors that are for it alone."""

    type: int
    pid: int
    descriptors: tuple[CaDescriptor, ...] = ()


class StreamSet(NamedTuple):
    """Streams with the same ECM PIDs: one index, one key."""

    sources: tuple[EcmSource, ...]
    """In the order of the CA_PMT: those for all streams, then those of the streams."""
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaPmt:
    """A service that a client wants clear, or does not want any more."""

    list_management: ListManagement = ListManagement.ONLY
    command: Command = Command.DECODE
    service: Sid
    version: int = 0
    """No sign of a change: some count it up with each message, others never. See `contents`."""
    adapter: int = 0
    """What the client wants to see in each message for this service."""
    descriptors: tuple[CaDescriptor, ...] = ()
    """For all streams."""
    streams: tuple[Stream, ...] = ()
    network: NetworkIds | None = None
    pmt_pid: int | None = None
    demux: int | None = None
    """The client's own number, only to find what a stop means (section 7)."""
    ca_device: int | None = None
    uses: int | None = None
    """Enigma2's mask of what the service is wanted for; nobody else sends it."""
    trailing: int = field(default=0, compare=False)
    """Bytes behind the last stream: MuMuDVB sends one, a zero."""

    @property
    def identity(self) -> ServiceId:
        """Which of the services of its connection it is about."""
        return ServiceId(self.adapter, self.service, self.network)

    @property
    def stream_sets(self) -> tuple[StreamSet, ...]:
        """The scrambled streams, gathered by their sets of ECM PIDs; clear ones are in none."""
        by_descriptors: dict[tuple[CaDescriptor, ...], dict[int, None]] = {}
        seen: set[int] = set()
        for stream in self.streams:
            if stream.pid not in seen and (stream.descriptors or self.descriptors):
                seen.add(stream.pid)
                by_descriptors.setdefault(stream.descriptors, {})[stream.pid] = None
        gathered: dict[frozenset[EcmSource], tuple[tuple[EcmSource, ...], list[int]]] = {}
        common = _sources_of(self.descriptors)
        for own, pids in by_descriptors.items():
            sources = tuple(dict.fromkeys((*common, *_sources_of(own)))) if own else common
            if sources:
                gathered.setdefault(frozenset(sources), (sources, []))[1].extend(pids)
        return tuple(StreamSet(sources, tuple(pids)) for sources, pids in gathered.values())

    @property
    def sources(self) -> tuple[EcmSource, ...]:
        """Every ECM PID, those for all streams first, each once."""
        return _sources_of(self._all_descriptors())

    @property
    def forced_caids(self) -> tuple[Caid, ...]:
        """CAIDs without an ECM PID (`NO_PID`): there may be a constant CW for one of them."""
        found = (one.caid for one in self._all_descriptors() if one.pid == NO_PID)
        return tuple(dict.fromkeys(found))

    @property
    def pids(self) -> tuple[int, ...]:
        """The PIDs of all streams, each once."""
        return tuple(dict.fromkeys(stream.pid for stream in self.streams))

    @property
    def contents(self) -> object:
        """Compares equal for two messages that want the same: order and version do not matter."""
        by_stream = frozenset(
            (frozenset(found.sources), frozenset(found.pids)) for found in self.stream_sets
        )
        return (
            frozenset(self.sources),
            frozenset(self.forced_caids),
            frozenset(self.pids),
            by_stream,
        )

    def _all_descriptors(self) -> Iterator[CaDescriptor]:
        yield from self.descriptors
        for stream in self.streams:
            yield from stream.descriptors


def _sources_of(descriptors: Iterable[CaDescriptor]) -> tuple[EcmSource, ...]:
    """Their ECM PIDs, each once, in their order."""
    return tuple(dict.fromkeys(source for one in descriptors for source in one.sources))


# Providers: where the CA systems of the world have put them.

_SECA: Final = 0x01
_SECA_BLOCK: Final = 15


def _number_at(start: int, end: int, mask: int = 0xFFFFFF) -> Callable[[bytes], Ident]:
    """Read a provider out of private bytes of any greater length."""

    def read(private: bytes) -> Ident:
        return Ident(int.from_bytes(private[start:end]) & mask if len(private) >= end else 0)

    return read


def _viaccess(private: bytes) -> Ident:
    if len(private) != 11 or private[6] != 0x14:
        return Ident(0)
    return Ident(int.from_bytes(private[8:11]) & 0xFFFFF0)


def _nagra(private: bytes) -> Ident:
    return Ident(int.from_bytes(private[1:3]) if len(private) == 3 else 0)


_PROVIDERS: Final = {
    0x0100: _number_at(0, 2),
    0x0500: _viaccess,
    0x1800: _nagra,
    0x4A00: _number_at(0, 1),
    0x2710: _number_at(0, 1),
}


def _seca_blocks(found: CaDescriptor) -> Iterator[EcmSource]:
    """Blocks of PID, provider and eleven bytes more; the first begins with the descriptor's PID."""
    rest = found.private[_SECA_BLOCK - 2 :]
    while len(rest) >= 4:
        pid = int.from_bytes(rest[:2]) & _PID_MASK
        if pid:
            yield EcmSource(found.caid, pid, Ident(int.from_bytes(rest[2:4])))
        rest = rest[_SECA_BLOCK:]


# Reading.


def parse_ca_pmt(body: bytes) -> CaPmt:
    """Read what follows operation and length.

    What is cut short, unknown or left over inside is left out (section 5), and what is beyond
    `STREAMS_LIMIT` and `SOURCES_LIMIT`.

    Raises:
        CaPmtError: not even the head is there.
    """
    if len(body) < _HEAD:
        raise CaPmtError(f"a CA_PMT of {len(body)} bytes")
    info_length = int.from_bytes(body[4:6]) & _LENGTH_MASK
    info = body[_HEAD : _HEAD + info_length]
    streams, commands, trailing = _parse_streams(body[_HEAD + info_length :])
    command = info[0] if info else next(iter(commands), Command.DECODE)
    tagged = list(_descriptors(info[1:]))
    descriptors, streams = _bounded(_ca_descriptors(tagged), streams)
    private: dict[int, bytes] = {}
    for tag, data in tagged:
        private.setdefault(tag, data)
    return CaPmt(
        list_management=ListManagement(body[0]),
        command=Command(command),
        service=Sid(int.from_bytes(body[1:3])),
        version=body[3],
        adapter=_adapter(private),
        descriptors=descriptors,
        streams=streams,
        network=_network(private.get(_NETWORK_TAG, b"")),
        pmt_pid=_number(private, _PMT_PID_TAG, 2, _PID_MASK),
        demux=_number(private, _DEMUX_TAG, 1),
        ca_device=_number(private, _CA_DEVICE_TAG, 1),
        uses=_number(private, _USES_TAG, 4),
        trailing=trailing,
    )


def _bounded(
    descriptors: tuple[CaDescriptor, ...], streams: tuple[Stream, ...]
) -> tuple[tuple[CaDescriptor, ...], tuple[Stream, ...]]:
    """As much as may be looked at without keeping others waiting."""
    room = SOURCES_LIMIT

    def fitting(found: tuple[CaDescriptor, ...]) -> tuple[CaDescriptor, ...]:
        nonlocal room
        kept = []
        for one in found:
            room -= 1 + len(one.private) // _SECA_BLOCK
            if room < 0:
                break
            kept.append(one)
        return tuple(kept)

    common = fitting(descriptors)
    return common, tuple(
        replace(stream, descriptors=fitting(stream.descriptors)) if stream.descriptors else stream
        for stream in streams
    )


def _parse_streams(data: bytes) -> tuple[tuple[Stream, ...], list[int], int]:
    """The streams, the commands among them, and how many bytes are left over."""
    streams: list[Stream] = []
    commands: list[int] = []
    at = 0
    while len(data) - at >= _STREAM_HEAD and len(streams) < STREAMS_LIMIT:
        end = at + _STREAM_HEAD + (int.from_bytes(data[at + 3 : at + 5]) & _LENGTH_MASK)
        if end > len(data):
            break
        command, descriptors = _read_loop(data[at + _STREAM_HEAD : end])
        if command is not None:
            commands.append(command)
        pid = int.from_bytes(data[at + 1 : at + 3]) & _PID_MASK
        streams.append(Stream(data[at], pid, descriptors))
        at = end
    return tuple(streams), commands, len(data) - at


def _read_loop(loop: bytes) -> tuple[int | None, tuple[CaDescriptor, ...]]:
    """The command, where there is one, and the CA descriptors of a stream.

    Some clients begin the loop with a command and others do not. The reading that fills the
    loop exactly is right; if both or none do, 00 and 01 are commands (2 to 4 are tags as well).
    """
    if not loop:
        return None, ()
    with_command, without = _fills(loop[1:]), _fills(loop)
    has_command = with_command if with_command != without else loop[0] <= Command.DECODE
    if has_command:
        return loop[0], _ca_descriptors(_descriptors(loop[1:]))
    return None, _ca_descriptors(_descriptors(loop))


def _fills(loop: bytes) -> bool:
    """Whether whole descriptors make up these bytes."""
    at = 0
    while at + 2 <= len(loop):
        at += 2 + loop[at + 1]
    return at == len(loop)


def _descriptors(loop: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and data of each descriptor that is whole."""
    at = 0
    while at + 2 <= len(loop):
        end = at + 2 + loop[at + 1]
        if end > len(loop):
            return
        yield loop[at], loop[at + 2 : end]
        at = end


def _ca_descriptors(tagged: Iterable[tuple[int, bytes]]) -> tuple[CaDescriptor, ...]:
    return tuple(
        CaDescriptor(
            Caid(int.from_bytes(data[:2])), int.from_bytes(data[2:4]) & _PID_MASK, data[4:]
        )
        for tag, data in tagged
        if tag == _CA_TAG and len(data) >= 4 and any(data[:2])
    )


def _adapter(private: dict[int, bytes]) -> int:
    """Tag 82 is adapter in its second byte, or a mask and a demux where 83 says the adapter.

    Enigma2 leaves out 83 for adapter 0 and still means a mask and a demux.
    """
    named = _number(private, _ADAPTER_TAG, 1)
    if named is not None:
        return named
    place = private.get(_PLACE_TAG, b"")
    return place[1] if len(place) == 2 and _USES_TAG not in private else 0


def _network(data: bytes) -> NetworkIds | None:
    if len(data) != 8:
        return None
    return NetworkIds(int.from_bytes(data[:4]), int.from_bytes(data[4:6]), int.from_bytes(data[6:]))


def _number(private: dict[int, bytes], tag: int, length: int, mask: int = -1) -> int | None:
    data = private.get(tag, b"")
    return int.from_bytes(data) & mask if len(data) == length else None


# Writing: what a client does.


def serialize_ca_pmt(
    pmt: CaPmt, *, universal: bool = False, commands_in_streams: bool = False
) -> bytes:
    """Build what follows operation and length.

    `universal`: the adapter in tag 82, as new tvheadends say it, and not in 83;
    `commands_in_streams`: as Enigma2 and VDR do.

    Raises:
        ValueError: a part does not fit into its length.
    """
    info = _descriptor(_NETWORK_TAG, _network_bytes(pmt.network)) if pmt.network else b""
    if universal:
        info += _descriptor(_PLACE_TAG, bytes((0, pmt.adapter)))
    if pmt.pmt_pid is not None:
        info += _descriptor(_PMT_PID_TAG, pmt.pmt_pid.to_bytes(2))
    if not universal:
        info += _descriptor(_ADAPTER_TAG, bytes((pmt.adapter,)))
    for tag, number, length in (
        (_USES_TAG, pmt.uses, 4),
        (_DEMUX_TAG, pmt.demux, 1),
        (_CA_DEVICE_TAG, pmt.ca_device, 1),
    ):
        info += b"" if number is None else _descriptor(tag, number.to_bytes(length))
    info += _ca_bytes(pmt.descriptors)
    head = bytes((pmt.list_management,)) + pmt.service.to_bytes(2) + bytes((pmt.version,))
    command = bytes((pmt.command,))
    streams = (_stream_bytes(one, command if commands_in_streams else b"") for one in pmt.streams)
    return head + _loop(command + info) + b"".join(streams)


def _stream_bytes(stream: Stream, command: bytes) -> bytes:
    descriptors = _ca_bytes(stream.descriptors)
    return (
        bytes((stream.type,))
        + stream.pid.to_bytes(2)
        + _loop(command + descriptors if descriptors else command)
    )


def _network_bytes(network: NetworkIds) -> bytes:
    return network.namespace.to_bytes(4) + network.tsid.to_bytes(2) + network.onid.to_bytes(2)


def _ca_bytes(descriptors: Iterable[CaDescriptor]) -> bytes:
    return b"".join(
        _descriptor(_CA_TAG, one.caid.to_bytes(2) + one.pid.to_bytes(2) + one.private)
        for one in descriptors
    )


def _descriptor(tag: int, data: bytes) -> bytes:
    return bytes((tag, len(data))) + data


def _loop(data: bytes) -> bytes:
    if len(data) > _LENGTH_MASK:
        raise ValueError(f"a loop has at most {_LENGTH_MASK} bytes, not {len(data)}")
    return len(data).to_bytes(2) + data
