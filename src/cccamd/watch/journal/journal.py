"""The journal of a running server: a thread of its own writes, the server never waits.

What the thread does, again and again: it takes what has come within a second, writes all of it in
one transaction, and now and then prunes. What it cannot write (a full disk, one that has turned
read-only, another server on the same file) it keeps, up to a limit, and tries again. When the file
is found damaged it is moved aside, a new one is begun at once, and what can still be read of the
old one is taken over in small pieces between the batches. How far that has come stands in the new
file, so that a restart goes on with it.
"""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cccamd.machine import file_size_limit
from cccamd.watch import Happening
from cccamd.watch.journal.age import SET, AgeClock
from cccamd.watch.journal.database import Database, JournalError, JournalLimits, is_damage
from cccamd.watch.journal.entries import Entry, Kind
from cccamd.watch.journal.salvage import salvage
from cccamd.watch.journal.scribe import Scribe

log = logging.getLogger("cccamd.journal")

QUEUE_LIMIT: Final = 10_000
"""Entries that may wait for a disk; more are dropped and counted."""
BATCH_LIMIT: Final = 500
BATCH_INTERVAL: Final = 1.0
"""Seconds in which entries are gathered: one transaction for all of them."""
PRUNE_INTERVAL: Final = 600.0
CHECK_INTERVAL: Final = 3600.0
"""Seconds between two looks through the whole file."""
CHECKS_APART: Final = 2.0
"""The same, where somebody else writes to it: a look takes a second of the processor at most."""
RETRY_INTERVAL: Final = 30.0
"""Seconds until a file that could not be used is tried again: disks become free."""
SALVAGE_SLICE, SALVAGE_PAUSE = 0.002, 0.006
"""Seconds: the interpreter runs one thread at a time, and answers come first."""
SALVAGE_AT_END: Final = 2.0
"""Seconds for which a server that ends goes on with it; the rest is done by the next start."""
_TROUBLES: Final = (sqlite3.Error, OSError, JournalError, MemoryError)
_NEVER: Final = (
    *(sqlite3.DataError, sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError),
    *(ValueError, OverflowError, TypeError),
)
"""What is said of entries, not of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalState:
    """How the journal fares."""

    trouble: str
    """Why nothing is written now; empty: all is well."""
    waiting: int
    """Entries in memory."""
    dropped: int
    """Entries that are lost since the start."""
    jump: float
    """Seconds that the wall clock was ahead of what the journal knew when it was opened, or behind
    (negative); 0: it went on from there, as far as can be told."""


class Journal:
    """Takes happenings on the server's thread, and writes entries on its own.

    `observe` costs some microseconds and never blocks. `on_trouble` is called from the
    journal's thread with a sentence for the log.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_trouble: Callable[[str], None],
        limits: JournalLimits | None = None,
        queue_limit: int = QUEUE_LIMIT,
    ) -> None:
        self.path = path
        self.dropped = 0
        """Entries that were not written: too many waited, or the server ended before."""
        self.written = 0
        self._limits = limits or JournalLimits()
        self._on_trouble = on_trouble
        self._scribe = Scribe()
        self._queue: deque[Entry] = deque()
        self._queue_limit = queue_limit
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._batch: list[Entry] = []
        """Taken from the queue, and not in the file yet."""
        self._database: Database | None = None
        self._clock: AgeClock | None = None
        self._salvage: Iterator[list[Entry]] | None = None
        self._salvaged: list[Entry] = []
        self._started_at = 0.0
        self._prune_at = 0.0
        self._check_at = self._checked_at = 0.0
        self._jump = 0.0
        self._trouble = ""
        self._dropped_before = 0
        """What `dropped` was when the trouble began."""

    def start(self) -> None:
        """Begin to write."""
        self._started_at = time.time()
        self._put(Entry(at=self._started_at, kind=Kind.START))
        self._thread.start()

    def observe(self, happening: Happening) -> None:
        """Take note of something that happened."""
        for entry in self._scribe.observe(happening):
            self._put(entry)

    def advance(self, now: float) -> None:
        """Write what is due at `now`, seconds since the epoch. Call it about once a second."""
        for entry in self._scribe.advance(now):
            self._put(entry)

    def state(self) -> JournalState:
        """How it fares; from any thread."""
        return JournalState(
            trouble=self._trouble,
            waiting=len(self._queue) + len(self._batch),
            dropped=self.dropped,
            jump=self._jump,
        )

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits, for so long at most, and end."""
        for entry in self._scribe.finish(time.time()):
            self._put(entry)
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _put(self, entry: Entry) -> None:
        if len(self._queue) + len(self._batch) < self._queue_limit:
            self._queue.append(entry)
        else:
            self.dropped += 1

    # The thread.

    def _run(self) -> None:
        while True:
            ending = self._stopping.is_set()
            works = self._attempt()
            if ending and (not works or not self._queue):
                break
            self._stopping.wait(self._pause() if works else RETRY_INTERVAL)
        self.dropped += len(self._batch) + len(self._queue)
        self._end()

    def _pause(self) -> float:
        if len(self._queue) >= BATCH_LIMIT:
            return 0.0
        return BATCH_INTERVAL if self._salvage is None else SALVAGE_PAUSE

    def _attempt(self) -> bool:
        """Do what is to be done; False: it cannot be done now."""
        try:
            database = self._database or self._open()
            self._look_after(database)
            self._write(database)
            self._salvage_some(database, SALVAGE_SLICE)
            self._prune(database)
            database.rest()
        except _TROUBLES as error:
            return self._give_up(error)
        except Exception as error:  # a fault of ours must not end the journal for good
            log.exception("the journal could not be written")
            return self._give_up(error)
        if self._trouble:
            self._trouble = ""
            lost = self.dropped - self._dropped_before
            what = f"{lost:,} entries were lost meanwhile" if lost else "nothing was lost"
            self._on_trouble(f"the journal {self.path} is written again; {what}")
        return True

    def _open(self) -> Database:
        database = Database(self.path, check=time.monotonic() >= self._check_at)
        self._database = database
        self._check_at = time.monotonic() + CHECK_INTERVAL
        if database.moved_aside is not None:
            self._tell_of_damage(database.moved_aside)
        aside = database.noted("salvaging")
        if isinstance(aside, str):
            self._salvage = salvage(self.path.with_name(aside))
        if self._clock is None and self._salvage is None:
            self._set_clock(database)
        return database

    def _tell_of_damage(self, aside: Path) -> None:
        self._on_trouble(
            f"{self.path} was damaged; it was moved to {aside}, a new one begins, and what can be"
            " read of the old one is taken over"
        )

    def _look_after(self, database: Database) -> None:
        """See whether the file is still there, and still ours and sound."""
        if not database.is_in_place:
            database.close()
            self._database = None
            self._on_trouble(f"{self.path} was deleted or replaced; writing goes on in a new file")
            self._open()
        else:
            now = time.monotonic()
            if database.was_touched():
                self._check_at = min(self._check_at, self._checked_at + CHECKS_APART)
            if database.looks_damaged() or now >= self._check_at:
                self._checked_at, self._check_at = now, now + CHECK_INTERVAL
                database.check()

    def _write(self, database: Database) -> None:
        database = self._database or database
        while True:
            while self._queue and len(self._batch) < BATCH_LIMIT:
                self._batch.append(self._queue.popleft())
            if not self._batch:
                return
            try:
                database.write(self._batch)
                self.written += len(self._batch)
            except _NEVER:
                self._write_one_by_one(database)
            self._batch.clear()

    def _write_one_by_one(self, database: Database) -> None:
        """Go on without an entry that no file would take: a fault of ours, which the log tells."""
        for entry in self._batch:
            try:
                database.write([entry])
                self.written += 1
            except _NEVER as error:
                self.dropped += 1
                self._on_trouble(f"an entry does not fit into the journal: {error}")

    def _prune(self, database: Database) -> None:
        if self._salvage is not None or time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + PRUNE_INTERVAL
        clock = self._clock or self._set_clock(database)
        database.prune(self._limits, clock.look(time.time(), time.monotonic()))
        for name in ("time", "proof", "ahead"):
            database.note(name, getattr(clock, name))

    def _set_clock(self, database: Database) -> AgeClock:
        """Go on where the last run ended, as far as the file says so."""
        wall = time.time()
        known, proof, ahead = (database.noted(name) for name in ("time", "proof", "ahead"))
        if not isinstance(known, float):
            known = database.newest(before=min(wall, self._started_at or wall)) or wall
        clock = self._clock = AgeClock(known, float(proof or 0.0), float(ahead or 0.0))
        clock.look(wall, time.monotonic())
        behind = min(0.0, wall - known)
        self._jump = clock.ahead or (behind if behind < -SET else 0.0)
        return clock

    def _salvage_some(self, database: Database, seconds: float) -> None:
        """Take over some pages of a damaged file; the new one is in use already."""
        ends_at = time.monotonic() + seconds
        while self._salvage is not None:
            rows = next(self._salvage, None)
            self._salvaged += rows or ()
            if len(self._salvaged) >= BATCH_LIMIT or rows is None:
                database.write(self._salvaged, salvaged=True)
                self._salvaged = []
            if rows is None:
                aside = database.noted("salvaging")
                database.note("salvaging", None)
                self._salvage = None
                self._on_trouble(
                    f"what could be read of {aside} is in {self.path} again:"
                    f" {database.count(before=self._started_at)} entries"
                )
            if time.monotonic() >= ends_at:
                return

    def _give_up(self, error: Exception) -> bool:
        """Let go of the file for a while, and tell each new trouble once. True: it was damaged,
        and a new one is in its place."""
        database, self._database = self._database, None
        self._salvage, self._salvaged = None, []  # begun again with the file
        if database is not None and is_damage(error):
            with suppress(*_TROUBLES):
                self._tell_of_damage(database.abandon())
                self._open()
                return True
        if database is not None:
            with suppress(*_TROUBLES):
                database.close()
        text = _in_words(error)
        if not self._trouble:
            self._dropped_before = self.dropped
        if text != self._trouble:
            self._trouble = text
            self._on_trouble(f"the journal {self.path} cannot be written: {text}")
        return False

    def _end(self) -> None:
        if self._database is None:
            return
        with suppress(*_TROUBLES):
            self._salvage_some(self._database, SALVAGE_AT_END)
        with suppress(*_TROUBLES):
            self._database.close()


def _in_words(error: Exception) -> str:
    """Why nothing can be written. SQLite keeps to itself what the system said of a file."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text, limit = str(error) or type(error).__name__, file_size_limit()
    if limit is not None and isinstance(error, sqlite3.Error):
        text += f" (no file of this process may be larger than {limit:,} bytes: LimitFSIZE)"
    return text
