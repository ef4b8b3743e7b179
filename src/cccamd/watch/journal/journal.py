"""The journal of a running server: a thread of its own writes, the server never waits."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from cccamd.watch import Happening
from cccamd.watch.journal.database import Database, JournalError, JournalLimits
from cccamd.watch.journal.entries import Entry, Kind
from cccamd.watch.journal.scribe import Scribe

QUEUE_LIMIT: Final = 10_000
"""Entries that may wait for a slow disk; more are dropped and counted."""
BATCH_LIMIT: Final = 500
BATCH_INTERVAL: Final = 0.5
"""Seconds in which entries are gathered: one transaction for all of them."""
PRUNE_INTERVAL: Final = 600.0
_NEVER: Final = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.ProgrammingError)
"""What SQLite says of entries, not of the file."""
RETRY_INTERVAL: Final = 30.0
"""Seconds until a file that could not be used is tried again: disks become free."""


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
        """Entries that were lost: more than may wait for a disk that is slow, full or not there."""
        self.written = 0
        self._limits = limits or JournalLimits()
        self._on_trouble = on_trouble
        self._scribe = Scribe()
        self._queue: queue.Queue[Entry | None] = queue.Queue(queue_limit)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._database: Database | None = None
        self._prune_at = 0.0
        self._told = ""
        """What the log was told of a file that cannot be written now."""
        self._dropped_before = 0
        """What `dropped` was when that began."""

    def start(self) -> None:
        """Begin to write."""
        self._put(Entry(at=time.time(), kind=Kind.START))
        self._thread.start()

    def observe(self, happening: Happening) -> None:
        """Take note of something that happened."""
        for entry in self._scribe.observe(happening):
            self._put(entry)

    def advance(self, now: float) -> None:
        """Write what is due at `now`, seconds since the epoch. Call it about once a second."""
        for entry in self._scribe.advance(now):
            self._put(entry)

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits, for so long at most, and end."""
        self._stopping.set()
        with suppress(queue.Full):  # the thread looks at the event, too
            self._queue.put_nowait(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _put(self, entry: Entry) -> None:
        try:
            self._queue.put_nowait(entry)
        except queue.Full:
            self.dropped += 1

    # The thread.

    def _run(self) -> None:
        while not self._stopping.is_set() or not self._queue.empty():
            batch = self._gather()
            if batch:
                self._write_in_the_end(batch)
        if self._database is not None:
            self._database.close()

    def _gather(self) -> list[Entry]:
        """Wait for an entry, and then a moment for those that follow it."""
        batch = [self._queue.get()]
        self._stopping.wait(BATCH_INTERVAL)
        while len(batch) < BATCH_LIMIT:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return [entry for entry in batch if entry is not None]

    def _write_in_the_end(self, batch: list[Entry]) -> None:
        """Write a batch; while that is not possible it waits, and the queue behind it."""
        while not self._attempt(batch):
            if self._stopping.is_set():
                self.dropped += len(batch)
                return
            self._stopping.wait(RETRY_INTERVAL)

    def _attempt(self, batch: list[Entry]) -> bool:
        """Try to write a batch; False: later it may be possible."""
        try:
            self._write(batch)
        except (sqlite3.OperationalError, OSError, JournalError, MemoryError) as error:
            self._give_up(error)
            return False
        except sqlite3.DatabaseError as error:
            if isinstance(error, _NEVER):
                return self._leave_out(batch, error)
            self._give_up(error)
            return False
        except (sqlite3.InterfaceError, ValueError, OverflowError, TypeError) as error:
            return self._leave_out(batch, error)
        return True

    def _leave_out(self, batch: list[Entry], error: Exception) -> bool:
        """Go on without entries that no file would take: a fault of ours, which the log tells."""
        self.dropped += len(batch)
        self._on_trouble(f"{len(batch)} entries do not fit into the journal: {error}")
        return True

    def _write(self, batch: list[Entry]) -> None:
        if self._database is None:
            self._database = Database(self.path)
            if self._database.moved_aside is not None:
                aside = self._database.moved_aside
                self._on_trouble(f"{self.path} was damaged; it was moved to {aside}")
        self._database.write(batch)
        self.written += len(batch)
        self._tell_of_the_end()
        if time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + PRUNE_INTERVAL
            self._database.prune(self._limits, time.time())

    def _tell_of_the_end(self) -> None:
        if not self._told:
            return
        lost = self.dropped - self._dropped_before
        what = f"{lost:,} entries were lost meanwhile" if lost else "nothing was lost"
        self._told = ""
        self._on_trouble(f"the journal {self.path} is written again; {what}")

    def _give_up(self, error: Exception) -> None:
        """Let go of the file for a while; tell each new trouble once."""
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        text = f"the journal {self.path} cannot be written: {str(error) or type(error).__name__}"
        if not self._told:
            self._dropped_before = self.dropped
        if text != self._told:
            self._told = text
            self._on_trouble(text)
