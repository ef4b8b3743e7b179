"""The journal and clocks that are wrong: nothing is pruned by them."""

import time
from pathlib import Path

import pytest

from cccamd.watch.journal import Database, Entry, Journal, JournalLimits, Kind, read_entries
from cccamd.watch.journal import journal as journal_module
from cccamd.watch.journal.age import BELIEVED, PROOF, AgeClock

NOW, DAY = 1_800_000_000.0, 86_400.0


def test_one_start_with_the_clock_far_ahead_is_not_believed() -> None:
    clock = AgeClock(NOW)
    assert clock.look(NOW + 100 * DAY, 5.0) == NOW
    assert clock.look(NOW + 100 * DAY + 600, 605.0) == NOW + 600
    assert clock.ahead == 100 * DAY


def test_many_short_starts_with_it_are_not_believed_either() -> None:
    clock = AgeClock(NOW)
    for number in range(200):
        clock = AgeClock(clock.time, clock.proof, clock.ahead)
        clock.look(NOW + 100 * DAY + 60 * number, 5.0)
        assert clock.look(NOW + 100 * DAY + 60 * number + 60, 65.0) <= NOW + 60 * (number + 1)


def test_days_of_running_prove_it() -> None:
    clock, wall = AgeClock(NOW), NOW + 100 * DAY
    clock.look(wall, 0.0)
    for hour in range(1, 24 * 4):
        told = clock.look(wall + 3600 * hour, 3600.0 * hour)
        believed = 3600 * hour >= PROOF
        assert told == (wall if believed else NOW) + 3600 * hour


def test_a_clock_that_is_set_back_is_followed_and_must_prove_itself_again() -> None:
    clock = AgeClock(NOW)
    assert clock.look(NOW - 100 * DAY, 0.0) == NOW - 100 * DAY
    assert clock.look(NOW, 10.0) == NOW - 100 * DAY + 10
    assert clock.look(NOW + PROOF, 10.0 + PROOF) == NOW + PROOF


def test_a_weekend_switched_off_is_believed() -> None:
    clock = AgeClock(NOW)
    assert clock.look(NOW + BELIEVED, 0.0) == NOW + BELIEVED


@pytest.mark.parametrize("days", [100, -100])
def test_a_journal_survives_a_start_with_a_clock_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    path = tmp_path / "journal.db"
    wall, offset = time.time, 0.0
    monkeypatch.setattr(journal_module.time, "time", lambda: wall() + offset)
    _run(path)
    database = Database(path)
    database.write(
        Entry(at=wall() - number * DAY, kind=Kind.LOGIN, account=f"u{number}")
        for number in range(1, 80)
    )
    database.close()
    for _ in range(3):
        offset = days * DAY
        assert (_run(path).state().jump > 0) is (days > 0)
        assert len(list(read_entries(path))) >= 80
    offset = 0.0
    _run(path)
    entries = [each for each in read_entries(path) if each.kind is Kind.LOGIN]
    assert [each.account for each in entries] == [f"u{number}" for number in range(79, 0, -1)]


def _run(path: Path) -> Journal:
    journal = Journal(path, on_trouble=lambda text: None, limits=JournalLimits(days=90))
    journal.start()
    journal.close()
    return journal
