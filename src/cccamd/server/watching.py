"""Everything that watches the server: history, notes, freezes, metrics, journal, memory.

One observer feeds them all; none of them can hold up an answer.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from cccamd.facts import Freeze, FreezeReport, ReceiverFinding
from cccamd.net import Connection, Way, in_slices
from cccamd.server.heartbeat import Heartbeat
from cccamd.server.observers import Observers
from cccamd.server.record import ClientRecord
from cccamd.watch import (
    Answers,
    ClockSet,
    EcmFinished,
    FreezeBegan,
    Freezes,
    Happening,
    History,
    Judges,
    Notes,
    Pause,
    RoundTripMeasured,
    SeenReceiver,
    SeenWay,
    ServerPaused,
)
from cccamd.watch.journal import Journal, JournalError, last_number, read_freeze
from cccamd.watch.metrics.counting import Metrics
from cccamd.why import CHANGES, Recent, judge_freeze, judge_receiver

Client = tuple[str, int]
"""An account and the number of its client."""


class Viewer(Protocol):
    """Who watches: a client, or one of the services of a client that shows many at once."""

    @property
    def record(self) -> ClientRecord:
        """What it did."""

    @property
    def connection(self) -> Connection[Any]:
        """The way to it."""

    @property
    def ended(self) -> bool:
        """Whether it is gone."""


TICK: Final = 0.25
"""Seconds. A pause of our loop is noticed to within this."""
FREEZE_TICKS: Final = 4
"""Ticks between two looks for keys that are missing."""
WAY_TICKS: Final = 20
"""Ticks in which all ways to receivers are looked at once, some at each tick."""
ROUND_TRIP_ROUNDS: Final = 3
"""Rounds of looks of which one is told to all: every 15 seconds."""
PAUSED: Final = 0.5
"""Seconds that our loop stood still; less is nothing that a picture would feel."""
STEPPED: Final = 1.0
"""Seconds by which the two clocks part when the wall clock is set; less is its slow mending."""


class Watchers:
    """The watchers of one server. `journal` is None when nothing is to be written down."""

    def __init__(self, *, observers: Observers, journal: Journal | None) -> None:
        self.history = History()
        self.answers = Answers()
        self.notes = Notes()
        self.metrics = Metrics()
        self.recent = Recent()
        self._observers = observers
        self._journal = journal
        self._freezes = Freezes(
            Judges(freeze=judge_freeze, receiver=judge_receiver),
            look=self._look,
            started_at=observers.now(),
        )
        observers.attended = self._freezes.attended
        self._offset = time.time() - time.monotonic()
        self.clock_was_set: Callable[[float], None] = _unheeded
        """Told by how many seconds somebody has set the wall clock."""
        self.heartbeat = Heartbeat(self._paused)
        self.metrics.pulse = self.heartbeat.pulse
        self._find: Callable[[Client], Viewer | None] = _nobody

    def observe(self, happening: Happening) -> None:
        """Tell all of them what happened, and what it means for pictures."""
        self.look_at_clocks()
        if not isinstance(happening, EcmFinished) or happening.weight:
            self._tell(happening)
        for consequence in self._freezes.observe(happening):
            self._tell(consequence)

    @property
    def journal_path(self) -> Path | None:
        """The journal's file; None: none is written."""
        return None if self._journal is None else self._journal.path

    def reporting(self) -> Generator[None, None, FreezeReport]:
        """The margins of all channels that are watched, the freezes of late and those that go
        on, and receivers that behave as if there were one; each is a step."""
        self.look_at_clocks()
        return self._freezes.reporting(self._observers.now())

    def opening_freezes(self) -> Generator[None, None, tuple[Freeze, ...]]:
        """The freezes that go on, with the verdict so far; each is a step."""
        self.look_at_clocks()
        return self._freezes.opening(self._observers.now())

    def receivers(self) -> tuple[ReceiverFinding, ...]:
        """Receivers that behave as if their picture stood still; cheap when there are few."""
        self.look_at_clocks()
        return self._freezes.receivers()

    async def resume(self) -> None:
        """Go on with the numbers of freezes where the journal ends. Call it before its start."""
        if self._journal is not None:
            self._freezes.number_from(1 + await asyncio.to_thread(last_number, self._journal.path))

    async def freeze(self, number: int) -> Freeze | None:
        """The freeze of this number; None: neither memory nor journal has it."""
        found = self._freezes.find(number, self._observers.now())
        if found is None and self._journal is not None:
            with suppress(JournalError):  # it has told so in the log
                found = await asyncio.to_thread(read_freeze, self._journal.path, number)
            if found is not None:
                found = replace(found, change=CHANGES[found.verdict])
        return found

    async def run(
        self,
        sessions: Callable[[], Sequence[Viewer]],
        find: Callable[[Client], Viewer | None],
    ) -> None:
        """Look at the clock for them, and at all sessions in turn; until cancelled."""
        self._find = find
        count = 0
        round_of: Sequence[Viewer] = ()
        while True:
            await asyncio.sleep(TICK)
            self.heartbeat.look()
            if count % FREEZE_TICKS == 0:
                await in_slices(self._advancing())
            if count % WAY_TICKS == 0:
                round_of = sessions()
            tell = count // WAY_TICKS % ROUND_TRIP_ROUNDS == 0
            await in_slices(self._measuring(round_of[count % WAY_TICKS :: WAY_TICKS], tell=tell))
            count += 1

    def _advancing(self) -> Generator[None, None, None]:
        """Let what is due become known, a watch a step."""
        self.look_at_clocks()
        for found in self._freezes.advancing(self._observers.now()):
            for consequence in found:
                self._tell(consequence)
                if isinstance(consequence, FreezeBegan):
                    self._measure_again(consequence.freeze.account)
            yield
        if self._journal is not None:
            self._journal.advance(self._observers.now())

    def _measuring(self, sessions: Sequence[Viewer], *, tell: bool) -> Generator[None, None, None]:
        for session in sessions:
            self._measure(session, tell=tell)
            yield

    def look_at_clocks(self) -> None:
        """Somebody may have set the wall clock: no picture stood still for that. And when the
        next tick is long overdue, our loop stood still: whatever is observed next came late."""
        steady, wall = time.monotonic(), time.time()
        step, self._offset = wall - steady - self._offset, wall - steady
        if abs(step) >= STEPPED:
            self._freezes.step(step)
            self._tell(ClockSet(at=wall, step=step))
            self.clock_was_set(step)
        self.heartbeat.look_if_late()

    def _paused(self, pause: Pause) -> None:
        """Our loop stood still; what is observed next came late."""
        if pause.seconds >= PAUSED:
            happening = ServerPaused(at=pause.at, seconds=pause.seconds)
            self._tell(happening)
            self._freezes.observe(happening)

    # The ways to receivers.

    def _measure_again(self, account: str) -> None:
        """The ways of an account's clients: one of them has just frozen."""
        for client in self._freezes.clients_of(account):
            session = self._find(client)
            if session is not None:
                self._measure(session, tell=False)

    def _look(self, client: Client) -> SeenReceiver | None:
        session = self._find(client)
        if session is None or session.ended:
            return None
        way = session.connection.way()
        seen = _seen(way, self._observers.now()) if way is not None else None
        return SeenReceiver(session.record.usage.heard_at, seen)

    def _measure(self, session: Viewer, *, tell: bool) -> None:
        way = None if session.ended else session.connection.way()
        if way is None:
            return
        account, client = session.record.user, session.record.number
        now = self._observers.now()
        for consequence in self._freezes.note_way((account, client), _seen(way, now)):
            self._tell(consequence)
        if tell and way.round_trip and self._journal is not None:
            # Nobody else wants it: with thousands of receivers it would be told all the time.
            self._journal.observe(
                RoundTripMeasured(
                    at=now,
                    account=account,
                    client=client,
                    seconds=way.round_trip,
                    jitter=way.jitter,
                )
            )

    def _tell(self, happening: Happening) -> None:
        self.history.observe(happening)
        self.answers.observe(happening)
        self.notes.observe(happening)
        self.metrics.observe(happening)
        self.recent.observe(happening)
        if self._journal is not None:
            self._journal.observe(happening)


def _unheeded(step: float) -> None:
    """Nobody remembers times."""


def _nobody(client: Client) -> Viewer | None:
    """Nobody is there yet."""
    return None


def _seen(way: Way, now: float) -> SeenWay:
    return SeenWay(now, way.round_trip, way.jitter, way.sent_again, way.unheard)
