"""The record of what clients did: bounded, persistent, never in the way of an answer.

docs/journal.md says what is in it.
"""

from cccamd.journal.database import Database, JournalError, JournalLimits, read_entries
from cccamd.journal.entries import FILE_NAME, Entry, Kind
from cccamd.journal.journal import Journal
from cccamd.journal.scribe import Scribe
from cccamd.journal.since import parse_since

__all__ = [
    "FILE_NAME",
    "Database",
    "Entry",
    "Journal",
    "JournalError",
    "JournalLimits",
    "Kind",
    "Scribe",
    "parse_since",
    "read_entries",
]
