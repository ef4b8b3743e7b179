"""The journal as a whole: its thread, its file, and what a kill leaves of it."""

import os
import random
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cccamd.watch import ClientLoggedOut
from cccamd.watch.journal import (
    Database,
    Entry,
    Journal,
    JournalError,
    JournalLimits,
    Kind,
    read_entries,
)
from cccamd.watch.journal import journal as journal_module

NOW = 1_800_000_000.0


def entry(number: int, **words: object) -> Entry:
    return Entry(**({"at": NOW + number, "kind": Kind.LOGIN, "account": f"u{number}"} | words))  # type: ignore[arg-type]


def wait_until(done: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 10.0
    while not done():
        assert time.monotonic() < ends_at
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "BATCH_INTERVAL", 0.01)
    monkeypatch.setattr(journal_module, "RETRY_INTERVAL", 0.05)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "journal.db"
    troubles: list[str] = []
    journal = Journal(path, on_trouble=troubles.append)
    journal.start()
    for number in range(3):
        journal.observe(
            ClientLoggedOut(at=NOW + number, account=f"u{number}", address="192.0.2.7", reason="x")
        )
    journal.close()
    found = list(read_entries(path, since=NOW))
    assert [(each.kind, each.account) for each in found if each.kind is not Kind.START] == [
        (Kind.LOGOUT, "u0"),
        (Kind.LOGOUT, "u1"),
        (Kind.LOGOUT, "u2"),
    ]
    assert troubles == []
    assert (journal.written, journal.dropped) == (4, 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_readers_choose_by_account_and_time(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    long_visit = entry(0, kind=Kind.VISIT, until=NOW + 50, account="anna", median=0.04)
    database.write([long_visit, entry(10, account="anna"), entry(60, account="ben")])
    assert list(read_entries(database.path, account="ben")) == [entry(60, account="ben")]
    assert list(read_entries(database.path, since=NOW + 40)) == [
        long_visit,
        entry(60, account="ben"),
    ]
    database.close()


def test_an_entry_that_says_more_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    for asked in (1, 7):
        database.write([entry(0, kind=Kind.VISIT, asked=asked, until=NOW + asked)])
    assert [each.asked for each in read_entries(database.path)] == [7]
    database.close()


def test_the_old_and_the_too_much_are_deleted_the_oldest_first(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    database.write([entry(number, text="x" * 200) for number in range(6000)])
    assert database.prune(JournalLimits(days=1, megabytes=64), NOW + 86_400 + 1000) == 1000
    assert database.prune(JournalLimits(days=1, megabytes=64), NOW) == 0
    assert database.prune(JournalLimits(days=1000, megabytes=0.5), NOW) > 1000
    left = [each.at for each in read_entries(database.path)]
    assert left == [NOW + number for number in range(6000 - len(left), 6000)]
    assert left
    database.close()
    assert database.path.stat().st_size < 0.8 * 1024 * 1024


def test_a_damaged_file_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is no database at all" * 100)
    troubles: list[str] = []
    journal = Journal(path, on_trouble=troubles.append)
    journal.start()
    journal.close()
    assert [each.kind for each in read_entries(path)] == [Kind.START]
    assert "damaged" in troubles[0]
    assert (tmp_path / "journal.db.broken-1").read_bytes().startswith(b"this is no database")


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Database(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    troubles: list[str] = []
    journal = Journal(path, on_trouble=troubles.append)
    journal.start()
    journal.close()
    assert "newer cccamd" in troubles[0]
    assert journal.dropped == 1


def test_why_nothing_is_written_is_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.with_name("journal.db.lock").mkdir()
    troubles: list[str] = []
    journal = Journal(path, on_trouble=troubles.append)
    journal.start()
    journal.close()
    assert troubles == [f"the journal {path} cannot be written: {path}.lock: Is a directory"]


SMALL_FILES = """
import pathlib, resource, sys
from cccamd.watch.journal import Journal
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
journal = Journal(pathlib.Path(sys.argv[1]), on_trouble=print)
journal.start()
journal.close()
"""


def test_a_limit_to_the_size_of_files_is_named(tmp_path: Path) -> None:
    words = [sys.executable, "-c", SMALL_FILES, str(tmp_path / "journal.db")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "may be larger than 4,096 bytes: LimitFSIZE" in done.stdout, done.stderr


def test_a_disk_that_stands_still_delays_nobody_and_drops_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Database(path).close()
    journal = Journal(path, on_trouble=lambda text: None, queue_limit=100)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    journal.start()
    started = time.perf_counter()
    for number in range(2000):
        journal._put(entry(number))
    assert time.perf_counter() - started < 3.0, "SQLite itself waits five seconds"
    assert journal.dropped > 1000
    blocker.execute("ROLLBACK")
    blocker.close()
    wait_until(lambda: journal.written >= 100)
    journal.close()
    assert journal.written + journal.dropped == 2001


def test_what_waited_for_a_disk_is_written_when_it_is_there_again(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.write_text("a file stands where the folder should be")
    troubles: list[str] = []
    journal = Journal(folder / "journal.db", on_trouble=troubles.append, queue_limit=50)
    journal.start()
    wait_until(lambda: len(troubles) == 1)
    for number in range(100):
        journal._put(entry(number))
    assert 49 <= journal.dropped <= 51, "some wait, the rest is counted"
    folder.unlink()
    wait_until(lambda: journal.written + journal.dropped == 101)
    journal.close()
    first, *others = read_entries(folder / "journal.db", since=NOW - 1)
    assert [first.account, others[0].account] == ["u0", "u1"]
    refused, over = troubles
    assert "cannot be written" in refused
    assert f"is written again; {journal.dropped} entries were lost meanwhile" in over


def test_an_entry_that_no_file_takes_costs_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    troubles: list[str] = []
    journal = Journal(path, on_trouble=troubles.append)
    journal.start()
    wait_until(lambda: journal.written == 1)
    for odd in (entry(2, sid=2**70), entry(3, text=None)):
        journal._put(odd)
    journal._put(entry(4))
    wait_until(lambda: journal.written == 2)
    journal.close()
    assert journal.dropped == len(troubles) == 2


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no such file"):
        list(read_entries(tmp_path / "none.db"))
    (tmp_path / "text.db").write_text("no database, only text that is long enough" * 40)
    with pytest.raises(JournalError, match="cannot be read as a journal"):
        list(read_entries(tmp_path / "text.db"))


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_at_any_moment_loses_nothing_that_was_written(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "journal.db"
    writer = [sys.executable, str(Path(__file__).with_name("endless_journal.py")), str(path)]
    with subprocess.Popen(
        writer, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as child:
        assert child.stdout is not None
        written = 0
        ends_at = None
        for line in child.stdout:
            written = int(line)
            if written and ends_at is None:
                ends_at = time.monotonic() + random.Random(seed).uniform(0.0, 0.25)
            if ends_at is not None and time.monotonic() >= ends_at:
                break
        child.kill()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    found = [each for each in read_entries(path) if each.kind is Kind.LOGIN]
    assert len(found) + 1 >= written > 0
    numbers = [int(each.account[1:]) for each in found]
    assert numbers == list(range(1, len(found) + 1))
    Database(path).close()
