"""The record of what clients did: bounded, persistent, never in the way of an answer.

docs/journal.md says what is in it.
"""

from cccamd.watch.journal.database import (
    Database,
    JournalError,
    JournalLimits,
    read_entries,
)
from cccamd.watch.journal.entries import FILE_NAME, Entry, Kind
from cccamd.watch.journal.frozen import last_number, read_freeze
from cccamd.watch.journal.journal import Journal, JournalState
from cccamd.watch.journal.scribe import Scribe
from cccamd.watch.journal.sums import SourceSum, sum_up

__all__ = [
    "FILE_NAME",
    "Database",
    "Entry",
    "Journal",
    "JournalError",
    "JournalLimits",
    "JournalState",
    "Kind",
    "Scribe",
    "SourceSum",
    "last_number",
    "read_entries",
    "read_freeze",
    "sum_up",
]
