"""What the journal keeps of sources and incidents, and how it is summed up over days."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.facts import EcmResult
from cccamd.ids import Caid, Ident, Sid
from cccamd.watch import (
    ClockSet,
    IncidentBegan,
    IncidentEnded,
    SourceAnswered,
    SourceDown,
    SourceGone,
    SourceUp,
)
from cccamd.watch.journal import Database, Entry, Kind, Scribe, read_entries, sum_up
from cccamd.watch.journal.entries import SOURCE_PERIOD
from cccamd.why import describe_entry
from fact_factory import an_incident

NOW = 1_800_000_000.0 - 1_800_000_000.0 % SOURCE_PERIOD
MINUTE = 60.0


def an_answer(at: float, seconds: float = 0.05, **words: object) -> SourceAnswered:
    fields: dict[str, object] = {
        "source": "a:1",
        "caid": Caid(1),
        "ident": Ident(2),
        "sid": Sid(3),
        "result": EcmResult.CW,
    }
    return SourceAnswered(at=at, seconds=seconds, **(fields | words))  # type: ignore[arg-type]


class Book:
    """The journal's entries as the file would have them: later ones replace earlier ones."""

    def __init__(self) -> None:
        self.scribe = Scribe()
        self.entries: dict[tuple[object, ...], Entry] = {}

    def take(self, entries: list[Entry]) -> None:
        for entry in entries:
            self.entries[entry.at, entry.kind, entry.subject, entry.cause] = entry

    def pass_time(self, begin: float, end: float) -> None:
        at = begin
        while at < end:
            self.take(self.scribe.advance(at))
            at += 1.0

    def of(self, kind: Kind) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.kind is kind]


def test_an_outage_of_fifteen_minutes_is_in_the_journal_at_every_minute_of_it() -> None:
    book = Book()
    book.take(book.scribe.observe(SourceUp(at=NOW, source="a:1")))
    book.pass_time(NOW, NOW + 10 * MINUTE)
    book.take(
        book.scribe.observe(SourceDown(at=NOW + 10 * MINUTE, source="a:1", reason="cable pulled"))
    )
    for minute in (1, 5, 12, 15):
        end = NOW + (10 + minute) * MINUTE
        book.pass_time(end - MINUTE, end)
        book.take(
            book.scribe.observe(SourceDown(at=end, source="a:1", reason="another attempt failed"))
        )
        (outage,) = book.of(Kind.OUTAGE)
        assert (outage.at, outage.text) == (NOW + 10 * MINUTE, "cable pulled")
        assert outage.until is not None
        assert end - 61 <= outage.until <= end
        assert "has been away" in describe_entry(outage), "nobody knows yet for how long it will be"
    end = NOW + 25 * MINUTE
    book.take(book.scribe.observe(SourceUp(at=end, source="a:1")))
    book.take(book.scribe.observe(an_answer(end + 1)))
    book.pass_time(end, end + 35 * MINUTE)
    book.take(book.scribe.observe(SourceGone(at=end + 35 * MINUTE, source="a:1")))
    (outage,) = book.of(Kind.OUTAGE)
    assert outage.until == end
    assert describe_entry(outage) == "a:1 was away for 15 min: cable pulled"
    (one,) = sum_up(book.entries.values())
    assert (one.losses, one.away, one.asked) == (1, 15 * MINUTE, 1)
    assert one.uptime == pytest.approx(45 / 60, abs=0.001)


def test_a_source_that_was_never_up_was_not_lost_and_is_away_all_the_time() -> None:
    book = Book()
    book.take(book.scribe.observe(SourceDown(at=NOW, source="a:1", reason="refused")))
    book.pass_time(NOW, NOW + 600)
    (one,) = sum_up(book.entries.values())
    assert (one.losses, one.uptime) == (0, 0.0)
    assert one.away == pytest.approx(540, abs=61)


def test_what_was_refused_at_a_clock_that_jumps_counts_for_nothing() -> None:
    book = Book()
    book.take(book.scribe.observe(SourceUp(at=NOW, source="a:1")))
    book.pass_time(NOW, NOW + 120)
    book.take(book.scribe.advance(NOW - 86_400))
    book.take(book.scribe.advance(NOW + 86_400 * 100))
    for one in sum_up(book.entries.values()):
        assert one.up <= 240
        assert one.uptime is None or 0 <= one.uptime <= 1
    periods = book.of(Kind.SOURCE)
    assert len(periods) >= 2
    assert all(0 <= one.until - one.at <= 120 for one in periods), "none was longer than it was"
    assert sum(one.until - one.at for one in periods) >= 60


@pytest.mark.parametrize("days", [-100, -0.001, 0.001, 100, 20_000])
def test_an_outage_is_as_long_as_it_was_when_somebody_sets_the_clock(days: float) -> None:
    book, step = Book(), days * 86_400
    book.take(book.scribe.observe(SourceDown(at=NOW, source="a:1", reason="refused")))
    began = an_incident(began_at=NOW)
    book.take(book.scribe.observe(IncidentBegan(at=NOW, incident=began)))
    book.pass_time(NOW, NOW + 301)
    book.take(book.scribe.observe(ClockSet(at=NOW + 301 + step, step=step)))
    book.pass_time(NOW + 301 + step, NOW + 602 + step)
    book.take(book.scribe.observe(SourceUp(at=NOW + 602 + step, source="a:1")))
    ended = replace(began, began_at=NOW + step, ended_at=NOW + 602 + step)
    book.take(book.scribe.observe(IncidentEnded(at=NOW + 602 + step, incident=ended)))
    (one,) = sum_up(book.of(Kind.OUTAGE))
    assert one.away == pytest.approx(602, abs=61)
    assert not any(outage.goes_on for outage in one.outages)
    lasted = [each.until - each.at for each in book.of(Kind.INCIDENT) if each.until]
    assert sum(lasted) == pytest.approx(602, abs=61)
    assert not any(each.goes_on for each in book.of(Kind.INCIDENT))


def test_a_day_is_summed_up_from_its_periods() -> None:
    book = Book()
    book.take(book.scribe.observe(SourceUp(at=NOW, source="a:1")))
    for hour in range(24):
        at = NOW + hour * 3600
        seconds = 0.04 if hour < 20 else 2.0
        for request in range(10):
            book.take(book.scribe.observe(an_answer(at + request, seconds)))
        book.take(book.scribe.observe(an_answer(at + 20, 0.1, result=EcmResult.NOK2, weight=2)))
        for step in range(1, 3600, 30):
            book.take(book.scribe.advance(at + step))
    assert len(book.of(Kind.SOURCE)) == 24 * 3600 / SOURCE_PERIOD
    (one,) = sum_up(book.entries.values())
    assert (one.asked, one.answered) == (24 * 12, 240)
    assert one.uptime == pytest.approx(1.0, abs=0.002)
    assert one.median == pytest.approx(0.04, rel=0.05)
    assert one.worst == 2.0


@given(st.lists(st.tuples(st.booleans(), st.floats(1, 5000)), max_size=40))
def test_uptime_and_outages_are_never_more_than_the_time(steps: list[tuple[bool, float]]) -> None:
    book, now = Book(), NOW
    for up, pause in steps:
        happening = (
            SourceUp(at=now, source="a:1")
            if up
            else SourceDown(at=now, source="a:1", reason="gone")
        )
        book.take(book.scribe.observe(happening))
        now += pause
        book.take(book.scribe.advance(now))
    book.take(book.scribe.observe(SourceGone(at=now, source="a:1")))
    for one in sum_up(book.entries.values()):
        assert one.seen <= now - NOW + 1e-6
        assert one.up + one.away == pytest.approx(now - NOW, abs=1e-3) or not steps


def test_an_incident_is_one_entry_that_grows_until_it_is_over() -> None:
    book = Book()
    incident = an_incident(began_at=NOW)
    book.take(book.scribe.observe(IncidentBegan(at=NOW, incident=incident)))
    book.pass_time(NOW, NOW + 300)
    (entry,) = book.of(Kind.INCIDENT)
    assert entry.until is not None
    assert entry.until >= NOW + 239
    assert (entry.subject, entry.cause) == (incident.subject, incident.cause.value)
    over = an_incident(began_at=NOW, ended_at=NOW + 310, suffering=4)
    book.take(book.scribe.observe(IncidentEnded(at=NOW + 320, incident=over)))
    book.pass_time(NOW + 320, NOW + 500)
    (entry,) = book.of(Kind.INCIDENT)
    assert (entry.until, entry.suffering) == (NOW + 310, 4)


def write_version_1(path: Path) -> None:
    """A file as cccamd wrote it before it kept sources."""
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "PRAGMA auto_vacuum = INCREMENTAL;"
            "CREATE TABLE entries (at REAL NOT NULL, kind TEXT NOT NULL, account TEXT NOT NULL,"
            " address TEXT NOT NULL, caid INTEGER NOT NULL, ident INTEGER NOT NULL,"
            " sid INTEGER NOT NULL, until REAL, source TEXT NOT NULL, asked INTEGER NOT NULL,"
            " answered INTEGER NOT NULL, median REAL, worst REAL, text TEXT NOT NULL,"
            " PRIMARY KEY (at, kind, account, address, caid, ident, sid)) WITHOUT ROWID;"
            "CREATE INDEX entries_by_account ON entries (account, at);"
            "PRAGMA user_version = 1;"
        )
        connection.execute(
            "INSERT INTO entries VALUES (?, 'login', 'anna', '192.0.2.7', 0, 0, 0, NULL, '',"
            " 0, 0, NULL, NULL, 'version 2.3.0')",
            (NOW,),
        )
    connection.close()


def test_a_file_of_an_older_version_is_read_and_taken_over_with_all_that_is_in_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    write_version_1(path)
    login = Entry(
        at=NOW, kind=Kind.LOGIN, account="anna", address="192.0.2.7", text="version 2.3.0"
    )
    assert list(read_entries(path)) == [login]
    database = Database(path)
    outage = Entry(at=NOW + 1, until=NOW + 2, kind=Kind.OUTAGE, subject="a:1", text="gone")
    database.write([outage])
    database.close()
    assert list(read_entries(path)) == [login, outage]
    assert list(read_entries(path, kinds=(Kind.OUTAGE,))) == [outage]
    Database(path).close()
    assert list(read_entries(path)) == [login, outage]
