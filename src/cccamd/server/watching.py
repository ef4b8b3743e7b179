"""Everything that watches the server: history, notes, freezes, metrics, journal, memory.

One observer feeds them all; none of them can hold up an answer.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from cccamd.facts import FreezeReport
from cccamd.server.observers import Observers
from cccamd.server.session import Session
from cccamd.watch import Freezes, Happening, History, Notes, RoundTripMeasured
from cccamd.watch.journal import Journal
from cccamd.watch.metrics import Metrics
from cccamd.why import Recent

FREEZE_INTERVAL: Final = 1.0
"""Seconds between two looks for keys that are missing."""
ROUND_TRIP_INTERVAL: Final = 15.0


class Watchers:
    """The watchers of one server. `journal` is None when nothing is to be written down."""

    def __init__(self, *, observers: Observers, journal: Journal | None) -> None:
        self.history = History()
        self.notes = Notes()
        self.metrics = Metrics()
        self.recent = Recent()
        self._freezes = Freezes()
        self._observers = observers
        self._journal = journal

    def observe(self, happening: Happening) -> None:
        """Tell all of them what happened, and what it means for pictures."""
        self._tell(happening)
        for consequence in self._freezes.observe(happening):
            self._tell(consequence)

    def freezes(self) -> FreezeReport:
        """The margins of all channels that are watched, and the freezes of late."""
        return self._freezes.report(self._observers.now())

    async def run(self, sessions: Callable[[], Iterable[Session]]) -> None:
        """Look at the clock for them; until cancelled."""
        rounds = round(ROUND_TRIP_INTERVAL / FREEZE_INTERVAL)
        count = 0
        while True:
            await asyncio.sleep(FREEZE_INTERVAL)
            for consequence in self._freezes.advance(self._observers.now()):
                self._tell(consequence)
            if self._journal is not None:
                self._journal.advance(self._observers.now())
            count += 1
            if count % rounds == 0:
                self._measure(sessions())

    def _measure(self, sessions: Iterable[Session]) -> None:
        for session in sessions:
            round_trip = session.connection.round_trip()
            if round_trip is None:
                continue
            seconds, jitter = round_trip
            self.observe(
                RoundTripMeasured(
                    at=self._observers.now(),
                    account=session.record.user,
                    client=session.record.number,
                    seconds=seconds,
                    jitter=jitter,
                )
            )

    def _tell(self, happening: Happening) -> None:
        self.history.observe(happening)
        self.notes.observe(happening)
        self.metrics.observe(happening)
        self.recent.observe(happening)
        if self._journal is not None:
            self._journal.observe(happening)
