"""Freezes in the journal: written as they begin and as they end, found again by their number."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from cccamd.facts import Freeze, Verdict
from cccamd.ids import Caid, Ident, Sid
from cccamd.watch.journal.database import JournalError, open_to_read, read_numbered
from cccamd.watch.journal.entries import Entry, Kind

CAUSE_LIMIT: Final = 500
LINES_LIMIT: Final = 40
"""Of evidence, and of what happened around it."""
_AROUND: Final = "around: "
_FROM_START: Final = "dark from the start"


def entry_of(freeze: Freeze) -> Entry:
    """A freeze as far as it got. The verdict stands in the evidence: it may still change."""
    lines = [freeze.verdict.value]
    if freeze.from_start:
        lines.append(_FROM_START)
    lines += freeze.evidence[:LINES_LIMIT]
    lines += [f"{_AROUND}{line}" for line in freeze.around[:LINES_LIMIT]]
    return Entry(
        at=freeze.at,
        until=freeze.at + freeze.seconds if freeze.over else None,
        kind=Kind.FREEZE,
        account=freeze.account,
        caid=freeze.caid,
        ident=freeze.ident,
        sid=freeze.sid,
        source=freeze.source,
        number=freeze.number,
        text=freeze.cause[:CAUSE_LIMIT],
        evidence="\n".join(lines),
    )


def freeze_of(entry: Entry) -> Freeze:
    """The freeze that an entry tells of. One without an end was cut off by the server's end."""
    verdict, *lines = entry.evidence.split("\n")
    from_start = _FROM_START in lines[:1]
    lines = lines[from_start:]
    return Freeze(
        number=entry.number,
        at=entry.at,
        account=entry.account,
        caid=Caid(entry.caid),
        ident=Ident(entry.ident),
        sid=Sid(entry.sid),
        seconds=max(0.0, (entry.until or entry.at) - entry.at),
        over=True,
        from_start=from_start,
        source=entry.source,
        verdict=next((each for each in Verdict if each.value == verdict), Verdict.UNKNOWN),
        cause=entry.text,
        evidence=tuple(line for line in lines if line and not line.startswith(_AROUND)),
        around=tuple(line.removeprefix(_AROUND) for line in lines if line.startswith(_AROUND)),
    )


def read_freeze(path: Path, number: int) -> Freeze | None:
    """Find a freeze; None: it is not in there.

    Raises:
        JournalError: there is no journal, or it cannot be read.
    """
    entries = list(read_numbered(path, Kind.FREEZE, number))
    # One that began before the wall clock was set stands there twice: the whole one counts.
    entries.sort(key=lambda entry: (entry.until is not None, entry.at))
    return freeze_of(entries[-1]) if entries else None


def last_number(path: Path) -> int:
    """The number of the last freeze in a journal; 0: none, or no journal that can be read."""
    query = "SELECT max(number) FROM entries WHERE kind = ?"
    try:
        with closing(open_to_read(path)) as connection:
            row = connection.execute(query, (Kind.FREEZE.value,)).fetchone()
            return int(row[0] or 0)
    except (sqlite3.Error, OSError, JournalError):
        return 0
