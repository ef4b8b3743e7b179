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
        """Entries that were not written: the disk was too slow, or is not there."""
        self.written = 0
        self._limits = limits or JournalLimits()
        self._on_trouble = on_trouble
        self._scribe = Scribe()
        self._queue: queue.Queue[Entry | None] = queue.Queue(queue_limit)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._database: Database | None = None
        self._retry_at = 0.0
        self._prune_at = 0.0
        self._told = ""

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
                self._attempt(batch)
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

    def _attempt(self, batch: list[Entry]) -> None:
        if self._database is None and time.monotonic() < self._retry_at:
            self.dropped += len(batch)
            return
        try:
            self._write(batch)
        except (sqlite3.Error, OSError, JournalError) as error:
            self.dropped += len(batch)
            self._give_up(error)

    def _write(self, batch: list[Entry]) -> None:
        if self._database is None:
            self._database = Database(self.path)
            if self._database.moved_aside is not None:
                aside = self._database.moved_aside
                self._on_trouble(f"{self.path} was damaged; it was moved to {aside}")
        self._database.write(batch)
        self.written += len(batch)
        self._told = ""
        if time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + PRUNE_INTERVAL
            self._database.prune(self._limits, time.time())

    def _give_up(self, error: Exception) -> None:
        """Let go of the file for a while; tell each new trouble once."""
        self._retry_at = time.monotonic() + RETRY_INTERVAL
        if self._database is not None:
            self._database.close()
            self._database = None
        text = f"the journal {self.path} cannot be written: {error}"
        if text != self._told:
            self._told = text
            self._on_trouble(text)
