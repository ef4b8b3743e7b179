"""A journal that is damaged, cut, deleted, replaced, or on a disk that fails: what is left."""

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cccamd.watch.journal import Database, Entry, Journal, Kind, read_entries
from cccamd.watch.journal import journal as journal_module
from cccamd.watch.journal.salvage import salvage

NOW = float(int(time.time())) - 5000
ROWS = 600


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "BATCH_INTERVAL", 0.01)
    monkeypatch.setattr(journal_module, "RETRY_INTERVAL", 0.05)


def entry(number: int) -> Entry:
    """Every twentieth is longer than a page."""
    evidence = "x" * 6000 if number % 20 == 0 else f"seen {number}"
    until = NOW + number + 1 if number % 2 else None
    return Entry(
        at=NOW + number, kind=Kind.VISIT, account=f"u{number}", until=until, evidence=evidence
    )


def fill(path: Path) -> list[Entry]:
    entries = [entry(number) for number in range(ROWS)]
    database = Database(path)
    database.write(entries)
    database.close()
    return entries


def wait_until(done: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 10.0
    while not done():
        assert time.monotonic() < ends_at
        time.sleep(0.01)


def at_rest(journal: Journal) -> bool:
    """Whether it has written an entry, and takes what is written from now on for another's."""
    database = journal._database
    return journal.written == 1 and database is not None and not database.was_touched()


@contextmanager
def writing(path: Path, troubles: list[str] | None = None) -> Iterator[Journal]:
    told = [] if troubles is None else troubles
    journal = Journal(path, on_trouble=told.append)
    journal.start()
    try:
        yield journal
    finally:
        journal.close()


def kept(path: Path) -> list[Entry]:
    return [each for each in read_entries(path) if each.kind is Kind.VISIT]


def test_every_row_of_a_sound_file_is_salvaged(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    entries = fill(path)
    found = [each for page in salvage(path) for each in page]
    assert sorted(found, key=lambda each: each.at) == entries


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_costs_only_what_it_hit(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "journal.db"
    entries = fill(path)
    rng, size = random.Random(seed), path.stat().st_size
    with path.open("r+b") as file:
        for _ in range(rng.randint(1, 3)):
            file.seek(rng.randrange(size))
            length = rng.choice([4, 100, 5000])
            file.write(rng.choice([bytes(length), rng.randbytes(length), b"\xff" * length]))
        if seed % 4 == 0:
            file.truncate(rng.randrange(size // 2, size))
    with writing(path):
        wait_until(lambda: _is_done(path))
    found = kept(path)
    assert len(found) >= ROWS // 4
    known = {each.at: each for each in entries}
    wrong = [each for each in found if known.get(each.at) != each]
    assert len(wrong) <= 4  # four bytes within a text cannot be told from the text
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def _is_done(path: Path) -> bool:
    """The server has begun to write, and has taken over what it could."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        kinds = connection.execute("SELECT count(*) FROM entries WHERE kind = 'start'").fetchone()
        query = "SELECT value FROM notes WHERE name = 'salvaging'"
        salvaging = connection.execute(query).fetchone()
        connection.close()
    except sqlite3.Error:
        return False
    return kinds[0] == 1 and (salvaging is None or salvaging[0] is None)


def _zero_the_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(100))


def _overwrite_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(3 * 4096))


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def _change_the_table(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE entries RENAME COLUMN asked TO wished")
    connection.close()


def _zero_all(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))


def _fill_with_noise(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(os.urandom(path.stat().st_size - 100))


DAMAGES = (_zero_the_header, _overwrite_the_middle, _cut, _change_the_table)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_at_the_start(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "journal.db"
    fill(path)
    damage(path)
    troubles: list[str] = []
    with writing(path, troubles):
        wait_until(lambda: len(troubles) == 2)
    assert "was damaged; it was moved to" in troubles[0]
    assert "what could be read of journal.db.broken-1 is in" in troubles[1]
    assert (tmp_path / "journal.db.broken-1").exists()
    assert len(kept(path)) > ROWS // 2


@pytest.mark.parametrize("damage", [_cut, _overwrite_the_middle, _zero_all, _fill_with_noise])
def test_damage_is_found_while_nothing_is_written(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "journal.db"
    fill(path)
    troubles: list[str] = []
    with writing(path, troubles) as journal:
        wait_until(lambda: at_rest(journal))
        damage(path)
        wait_until(lambda: len(troubles) >= 2)
        journal._put(entry(ROWS + 1))
        wait_until(lambda: journal.state().waiting == 0)
    assert "was damaged" in troubles[0]
    assert len(kept(path)) > (ROWS // 2 if damage in DAMAGES else 0)
    assert kept(path)[-1] == entry(ROWS + 1)


def test_who_only_reads_has_nothing_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    fill(path)
    checks: list[Database] = []
    monkeypatch.setattr(Database, "check", checks.append)
    with writing(path) as journal:
        wait_until(lambda: journal.written == 1)
        for number in range(1, 4):
            assert len(list(read_entries(path))) >= ROWS
            journal._put(entry(ROWS + number))
            wait_until(lambda number=number: journal.written == 1 + number)  # type: ignore[misc]
    assert not checks


def test_a_header_that_is_still_in_the_log_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    fill(path)
    with writing(path) as journal:
        wait_until(lambda: journal.written == 1)
        _zero_the_header(path)
        wait_until(lambda: path.read_bytes().startswith(b"SQLite format 3"))
    assert len(kept(path)) == ROWS


def test_a_file_deleted_or_replaced_while_it_is_written_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    troubles: list[str] = []
    with writing(path, troubles) as journal:
        wait_until(lambda: journal.written == 1)
        path.unlink()
        journal._put(entry(1))
        wait_until(lambda: journal.written == 2)
        assert kept(path) == [entry(1)]
        other = tmp_path / "other.db"
        fill(other)
        other.replace(path)
        journal._put(entry(ROWS + 5))
        wait_until(lambda: len(troubles) == 2)
    assert kept(path) == [*(entry(number) for number in range(ROWS)), entry(ROWS + 5)]
    assert all("deleted or replaced" in each for each in troubles)


@pytest.mark.parametrize("is_back", [False, True])
def test_a_folder_that_is_moved_away_while_nothing_is_written(
    tmp_path: Path, is_back: bool
) -> None:
    """Or is replaced by another one, as by who takes back a copy of it."""
    path = tmp_path / "state" / "journal.db"
    path.parent.mkdir()
    troubles: list[str] = []
    with writing(path, troubles) as journal:
        wait_until(lambda: journal.written == 1)
        if is_back:
            shutil.copytree(path.parent, tmp_path / "copy")
        path.parent.rename(tmp_path / "before")
        if is_back:
            (tmp_path / "copy").rename(path.parent)
        wait_until(lambda: bool(troubles))
        journal._put(entry(1))
        wait_until(lambda: journal.written == 2)
    assert "deleted or replaced" in troubles[0]
    assert kept(path)[-1] == entry(1)


def test_damaged_files_do_not_fill_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for _ in range(8):
        path.write_bytes(b"no database" * 1000)
        Database(path).close()
    assert sorted(each.name for each in tmp_path.glob("*broken*")) == [
        f"journal.db.broken-{number}" for number in range(4, 9)
    ]


def test_two_servers_do_not_write_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    first, second = Database(path), Journal(path, on_trouble=lambda text: None)
    second.start()
    wait_until(lambda: "written by another server" in second.state().trouble)
    first.close()
    wait_until(lambda: second.written == 1 and second.state().trouble == "")
    second.close()


def test_text_that_is_no_unicode_keeps_no_batch_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writing(path) as journal:
        journal._put(Entry(at=NOW, kind=Kind.VISIT, account="\ud800 half"))
        journal._put(entry(1))
    assert [each.account for each in kept(path)] == ["? half", "u1"]
