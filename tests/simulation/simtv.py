"""A receiver program that speaks dvbapi, and what is noted of it at the server's side."""

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final

from simcast import SERVICES, ecm_of
from simconfig import DVBAPI_PORT
from simledger import Ledger
from simrights import CAID, DENIED_SID, truth
from simwires import End, Wire

from cccamd.ids import Caid, Sid
from cccamd.routing import Told, Trace
from cccamd.server.dvbapi.service import SelectedService
from cccamd.server.dvbapi.session import DvbapiSession
from cccamd.values import ControlWords, Refusal, Request
from cccamd.wire.dvbapi import (
    NO_INDEX,
    CaDescriptor,
    CaPmt,
    ClientInfo,
    ClientMessage,
    FilterData,
    ListManagement,
    Parity,
    SectionMatch,
    ServerInfo,
    ServerMessage,
    ServerReader,
    SetDescrambler,
    SetFilter,
    SetPid,
    Stop,
    StopFilter,
    Stream,
    serialize_for_server,
)

if TYPE_CHECKING:
    from simworld import World

CHANNELS: Final = [n for n, (_, _, sid) in enumerate(SERVICES) if sid not in (0, DENIED_SID)]
"""What it shows: numbers of `SERVICES`. It does not say of which provider they are."""
REPEATS: Final = 0.6
"""Seconds, or so, after which an ECM is broadcast again."""
ECM_PIDS, STREAM_PIDS = 1000, 2000


class Tv(asyncio.Protocol):
    """Shows one or two services at a time, zaps, and comes back when it is thrown out."""

    user = "tv"

    def __init__(self, world: "World", number: int, chance: random.Random) -> None:
        self.world, self.number, self.chance = world, number, chance
        self.wanted = True
        self.wire: Wire | None = None
        self.shown: dict[int, int] = {}
        """Numbers of `SERVICES` by service id."""
        self._version = chance.choice((1, 2, 3))
        self._end: End | None = None
        self._calls = 0

    @property
    def is_up(self) -> bool:
        return self._end is not None

    def connect(self) -> None:
        if not self.wanted or self.wire is not None:
            return
        self._calls += 1
        self.wire = self.world.net.call(DVBAPI_PORT, self, address="192.168.3.9")
        if self.wire is None:
            self._again()

    def _again(self) -> None:
        if self.wanted:
            self.world.loop.call_later(0.3 + self.chance.random(), self.connect)

    def leave(self) -> None:
        """Go, and do not come back by itself."""
        self.wanted = False
        if self._end is not None:
            self._end.abort()

    def read_on(self) -> None:
        """Read again, if it did not."""
        if self.wire is not None:
            self.wire.caller.read_on(wanted=True)
            self.wire.stopped_until = 0.0

    # As asyncio has it.

    def connection_made(self, transport: Any) -> None:
        self._end = transport
        self._reader = ServerReader(self._version)
        self._filters: dict[tuple[int, int], tuple[int, SectionMatch]] = {}
        self._indices: dict[int, int] = {}
        self.keys: dict[tuple[int, int], bytes] = {}
        self.shown.clear()
        self._say(ClientInfo(self._version, "sim"))
        for _ in range(self.chance.randint(1, 2)):
            self.zap(more=True)
        self._broadcast(self._calls)

    def data_received(self, data: bytes) -> None:
        for _, message in self._reader.messages(data):
            self._take(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.world.ledger.note("tv closed")
        self._end = self.wire = None
        self._again()

    # What it shows.

    def zap(self, *, more: bool) -> None:
        """Show another service, instead of those of before or as well."""
        number = self.chance.choice(CHANNELS)
        caid, _, sid = SERVICES[number]
        if not more:
            self.shown.clear()
        self.shown[sid] = number
        self._say(
            CaPmt(
                list_management=ListManagement.ADD if more else ListManagement.ONLY,
                service=Sid(sid),
                descriptors=(CaDescriptor(Caid(caid), ECM_PIDS + sid),),
                streams=(Stream(2, STREAM_PIDS + 2 * sid), Stream(4, STREAM_PIDS + 2 * sid + 1)),
            )
        )

    def ask(self, *_: object) -> None:
        """What others do when they ask an ECM."""
        if self.chance.random() < 0.1:
            self._say(Stop(0xFF))
            self.shown.clear()
        self.zap(more=self.chance.random() < 0.5)

    def _broadcast(self, call: int) -> None:
        """Send all filters what is on their PIDs."""
        if call != self._calls or self._end is None or self.world.is_over:
            return
        for (demux, number), (pid, match) in list(self._filters.items()):
            service = self.shown.get(pid - ECM_PIDS)
            section = b"" if service is None else ecm_of(service, self.world.period())
            if section and match.matches(section):
                self._say(FilterData(demux, number, section))
        if self.chance.random() < 0.05 and not self.world.is_calm:
            self.ask()
        pauses = 3 if self.world.is_calm else 1
        pause = pauses * REPEATS * (0.5 + self.chance.random())
        self.world.loop.call_later(pause, self._broadcast, call)

    def _say(self, message: ClientMessage) -> None:
        if self._end is not None and not self._end.is_closing():
            self._end.write(serialize_for_server(message, self._version))

    def _take(self, message: ServerMessage | ServerInfo) -> None:
        match message:
            case SetFilter(demux, number, pid, match):
                self._filters[demux, number] = pid, match
            case StopFilter(demux, number, _):
                if self._filters.pop((demux, number), None) is None:
                    self.world.ledger.blame("a filter was stopped that was not set")
            case SetPid(pid, index):
                if index == NO_INDEX:
                    self._indices.pop(pid, None)
                else:
                    self._indices[pid] = index
            case SetDescrambler(index, parity, half):
                self.keys[index, parity] = half
                self._judge_half(index, parity, half)
            case _:
                pass

    def _judge_half(self, index: int, parity: Parity, half: bytes) -> None:
        """Each key is half a CW that was told for an ECM of the service that it is for."""
        ledger = self.world.ledger
        sids = {(pid - STREAM_PIDS) // 2 for pid, its in self._indices.items() if its == index}
        told = ledger.halves if not sids else {each for each in ledger.halves if each[0] in sids}
        if not any((parity, half) == each[1:] for each in told):
            ledger.blame(f"a key that no CW has: index {index}, services {sids}")

    @property
    def sure(self) -> list[int]:
        """The services that it shows for which there is a card of our own, by their ids."""
        return [sid for sid, number in self.shown.items() if SERVICES[number][0] == CAID]

    def shows(self, sid: int) -> bool:
        """Whether the picture is there: the streams have the CW of this period or the one before,
        whose successor may be on its way."""
        index = self._indices.get(STREAM_PIDS + 2 * sid)
        if index is None:
            return False
        now = self.world.period()
        ecms = (ecm_of(self.shown[sid], period) for period in (now, now - 1))
        words = self.keys.get((index, 0), b""), self.keys.get((index, 1), b"")
        return any(words == (cw[:8], cw[8:]) for cw in map(truth, ecms))


def watched_tv(ledger: Ledger) -> type[DvbapiSession]:
    """What makes the server's side of a receiver program, with somebody who takes notes."""

    class WatchedTv(DvbapiSession):
        """A session, and what it is asked and told."""

        user_name = Tv.user

        def __init__(self, *words: Any) -> None:
            super().__init__(*words)
            self.name = ledger.next_name()

        @property
        def is_served(self) -> bool:
            return not self.connection.is_closed

        def _ask(self, token: int, service: SelectedService, request: Request) -> None:
            ledger.requested(self, token, request)
            super()._ask(token, service, request)
            if token not in self._requests and ledger.waits(self, token):
                ledger.answered(self, token, Refusal.PASSING)

        def _take_told(self, token: int, service: SelectedService, told: Told) -> None:
            self._note(token, told.wanted.request, told.cw)
            super()._take_told(token, service, told)

        def deliver(self, token: int, cw: ControlWords, trace: Trace) -> None:
            if token in self._requests:
                self._note(token, self._requests[token][1], cw)
            super().deliver(token, cw, trace)

        def refuse(self, token: int, refusal: Refusal, trace: Trace) -> None:
            super().refuse(token, refusal, trace)
            if ledger.waits(self, token):
                ledger.answered(self, token, refusal)

        def _judge_requests_anew(self) -> None:
            before = list(self._requests)
            super()._judge_requests_anew()
            for token in before:  # its hours may be over, and what is refused for that is told
                if token not in self._requests and ledger.waits(self, token):
                    ledger.answered(self, token, Refusal.PASSING)

        def _forget(self, token: int) -> None:
            super()._forget(token)
            if ledger.waits(self, token):
                ledger.answered(self, token, None)

        def _note(self, token: int, request: Request, cw: ControlWords) -> None:
            ledger.answered(self, token, cw)
            for parity, half in enumerate((cw.raw[:8], cw.raw[8:])):
                ledger.halves.add((request.sid, parity, half))

    return WatchedTv
