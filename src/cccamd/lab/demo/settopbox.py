"""A receiver program that speaks dvbapi, as tvheadend does, without sockets and clock.

It lists its services, filters sections as it is told, keeps the keys it is given, and notes
everything that would cost a real program its picture (docs/dvbapi-protocol.md, sections 6, 8, 9).
"""

from dataclasses import dataclass, field, replace
from typing import Final

from cccamd.ids import Caid, Sid
from cccamd.lab.ts import Pmt
from cccamd.values import ControlWords
from cccamd.wire.dvbapi import (
    ALL_SERVICES,
    NO_INDEX,
    CaDescriptor,
    CaPmt,
    ClientInfo,
    EcmInfo,
    FilterData,
    ListManagement,
    NetworkIds,
    Parity,
    SectionMatch,
    ServerInfo,
    ServerReader,
    SetDescrambler,
    SetFilter,
    SetMode,
    SetPid,
    Stop,
    StopFilter,
    Stream,
    serialize_for_server,
)

VERSION: Final = 2
FILTER_TIMEOUT: Final = 1.5
"""Seconds from a CA_PMT to a filter on one of its ECM PIDs: later, tvheadend gives up."""
DEMUX_LIMIT, FILTER_LIMIT, INDEX_LIMIT = 128, 64, 128


@dataclass(slots=True)
class _Filter:
    adapter: int
    pid: int
    match: SectionMatch
    last: bytes = b""
    """What was passed on: the same is not passed on again."""


@dataclass(slots=True)
class Tuning:
    """A service that is wanted, and what it got."""

    pmt: CaPmt
    listed_at: float
    has_filter: bool = False
    """Whether a filter on one of its ECM PIDs came: the server knows of it by then."""
    is_late: bool = False
    """Whether that took too long."""
    indices: dict[int, int] = field(default_factory=dict)
    """Which key opens a PID."""
    answers: list[ControlWords | None] = field(default_factory=list)
    """The keys at each ECM_INFO; None: not all were told."""


class SetTopBox:
    """One connection with any number of services, each on an adapter of its own."""

    def __init__(self, name: str = "cccamd lab") -> None:
        self.server = ""
        """What the server calls itself."""
        self.faults: list[str] = []
        """What a real program would not have stood."""
        self.tunings: dict[int, Tuning] = {}
        """What is open, by adapter."""
        self._reader = ServerReader(VERSION)
        self._filters: dict[tuple[int, int], _Filter] = {}
        self._adapters: dict[int, int] = {}
        """Which adapter a demux was used with: never with another."""
        self._keys: dict[int, dict[Parity, bytes]] = {}
        self._out = [serialize_for_server(ClientInfo(VERSION, name), VERSION)]

    # What the viewer does.

    def open(self, pmt: CaPmt, now: float) -> None:
        """Want a service on its adapter, instead of what was open there; say what is wanted now.

        As tvheadend: a stop before what has changed, and the whole list each time.
        """
        if pmt.adapter in self.tunings:
            self._say(Stop(pmt.adapter))
            self._forget_filters(pmt.adapter)
        self.tunings[pmt.adapter] = Tuning(pmt, now)
        self._list()

    def close(self, adapter: int) -> None:
        """Want nothing on an adapter any more."""
        del self.tunings[adapter]
        self._forget_filters(adapter)
        if self.tunings:
            self._list()
        else:
            self._say(Stop(ALL_SERVICES))

    def section(self, adapter: int, pid: int, section: bytes) -> bool:
        """Pass a section on to whoever filters it; whether a filter is there for it."""
        wanted = False
        for (demux, number), one in self._filters.items():
            if (one.adapter, one.pid) == (adapter, pid) and one.match.matches(section):
                wanted = True
                if one.last != section:
                    one.last = section
                    self._say(FilterData(demux, number, section))
        return wanted

    def control_words(self, adapter: int) -> ControlWords | None:
        """The keys of a service; None as long as a stream has none, or they are not told."""
        tuning = self.tunings[adapter]
        indices = {tuning.indices.get(pid, NO_INDEX) for pid in tuning.pmt.pids}
        keys = self._keys.get(indices.pop(), {}) if len(indices) == 1 else {}
        if len(keys) < len(Parity):
            return None
        return ControlWords(keys[Parity.EVEN] + keys[Parity.ODD])

    def look(self, now: float) -> None:
        """Note which service has waited too long for a filter on its ECMs."""
        for tuning in self.tunings.values():
            waits = not tuning.has_filter and not tuning.is_late
            if waits and now - tuning.listed_at > FILTER_TIMEOUT:
                tuning.is_late = True
                self._blame(f"no filter within {FILTER_TIMEOUT:g} s after a CA_PMT")

    # The connection.

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes of the server.

        Raises:
            FramingError: they cannot be understood.
        """
        self.look(now)
        for channel, message in self._reader.messages(data):
            adapter = channel.adapter
            match message:
                case ServerInfo(_, text):
                    self.server = text
                case SetFilter():
                    self._set_filter(adapter, message)
                case StopFilter():
                    self._stop_filter(message)
                case SetPid(pid, index):
                    self._set_pid(adapter, pid, index)
                case SetDescrambler(index, parity, cw):
                    self._set_key(adapter, index, parity, cw)
                case EcmInfo():
                    self._end_answer(adapter)
                case SetMode():
                    self._blame("the mode of a cipher, which version 2 does not know")

    def data_to_send(self) -> bytes:
        """Hand over what is to be sent."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # Inside.

    def _forget_filters(self, adapter: int) -> None:
        for handle in [each for each, one in self._filters.items() if one.adapter == adapter]:
            del self._filters[handle]

    def _end_answer(self, adapter: int) -> None:
        tuning = self.tunings.get(adapter)
        if tuning is not None and tuning.has_filter:
            tuning.answers.append(self.control_words(adapter))

    def _list(self) -> None:
        wanted = [tuning.pmt for tuning in self.tunings.values()]
        places = [ListManagement.MORE] * len(wanted)
        places[0], places[-1] = ListManagement.FIRST, ListManagement.LAST
        if len(wanted) == 1:
            places = [ListManagement.ONLY]
        for pmt, place in zip(wanted, places, strict=True):
            self._say(replace(pmt, list_management=place))

    def _say(self, message: Stop | FilterData | CaPmt) -> None:
        self._out.append(serialize_for_server(message, VERSION))

    def _blame(self, what: str) -> None:
        self.faults.append(what)

    def _set_filter(self, adapter: int, wanted: SetFilter) -> None:
        if wanted.demux >= DEMUX_LIMIT or wanted.filter >= FILTER_LIMIT:
            self._blame(f"demux {wanted.demux}, filter {wanted.filter}: beyond the limits")
        if self._adapters.setdefault(wanted.demux, adapter) != adapter:
            self._blame(f"demux {wanted.demux} with a second adapter")
        self._filters[wanted.demux, wanted.filter] = _Filter(adapter, wanted.pid, wanted.match)
        tuning = self.tunings.get(adapter)
        if tuning is not None and wanted.pid in _ecm_pids(tuning.pmt):
            tuning.has_filter = True

    def _stop_filter(self, stopped: StopFilter) -> None:
        gone = self._filters.pop((stopped.demux, stopped.filter), None)
        if gone is None or gone.adapter not in self.tunings:
            return
        ecm_pids = _ecm_pids(self.tunings[gone.adapter].pmt)
        left = (one.pid for one in self._filters.values() if one.adapter == gone.adapter)
        if gone.pid in ecm_pids and not ecm_pids.intersection(left):
            self._blame("the filter of the ECMs taken away while the service is wanted")

    def _set_pid(self, adapter: int, pid: int, index: int) -> None:
        tuning = self.tunings.get(adapter)
        if tuning is None:
            return  # it has just been closed
        if index == NO_INDEX:
            tuning.indices.pop(pid, None)
        elif pid not in tuning.pmt.pids or index >= INDEX_LIMIT:
            self._blame(f"PID {pid} with index {index}: no such stream or index")
        else:
            tuning.indices[pid] = index

    def _set_key(self, adapter: int, index: int, parity: Parity, cw: bytes) -> None:
        self._keys.setdefault(index, {})[parity] = cw
        if adapter not in self.tunings or not self.tunings[adapter].has_filter:
            return  # of a service that has just been closed
        if index not in self.tunings[adapter].indices.values():
            self._blame(f"a CW for index {index} before any stream had it")
        for other, tuning in self.tunings.items():
            if other != adapter and index in tuning.indices.values():
                self._blame(f"index {index} for two adapters")


def _ecm_pids(pmt: CaPmt) -> set[int]:
    return {source.pid for source in pmt.sources}


def ca_pmt_of(pmt: Pmt, *, adapter: int) -> CaPmt:
    """What tvheadend says of the service of a program map table: all CA descriptors are for all."""
    return CaPmt(
        service=Sid(pmt.program),
        adapter=adapter,
        version=pmt.version,
        network=NetworkIds(0, 1, 1),
        descriptors=tuple(
            CaDescriptor(Caid(one.caid), one.pid, one.private) for one in pmt.ca_descriptors
        ),
        streams=tuple(Stream(one.stream_type, one.pid) for one in pmt.streams),
    )
