"""The journal's file: SQLite in WAL mode, so that a kill at any moment leaves whole entries."""

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cccamd.errors import CccamdError
from cccamd.machine import FileLock
from cccamd.watch.journal.entries import Entry, Kind

SCHEMA_VERSION: Final = 2
"""In the file's `user_version`. A file of a newer version is left alone."""
COLUMNS: Final = tuple(field.name for field in fields(Entry))
_KEY: Final = ("at", "kind", "account", "address", "caid", "ident", "sid", "subject", "cause")
_SCHEMA: Final = """
CREATE TABLE entries (
    at REAL NOT NULL, kind TEXT NOT NULL, account TEXT NOT NULL, address TEXT NOT NULL,
    caid INTEGER NOT NULL, ident INTEGER NOT NULL, sid INTEGER NOT NULL,
    until REAL, source TEXT NOT NULL, asked INTEGER NOT NULL, answered INTEGER NOT NULL,
    median REAL, worst REAL, text TEXT NOT NULL,
    subject TEXT NOT NULL, number INTEGER NOT NULL, cause TEXT NOT NULL, suffering INTEGER NOT NULL,
    evidence TEXT NOT NULL, up REAL, losses INTEGER NOT NULL,
    PRIMARY KEY (at, kind, account, address, caid, ident, sid, subject, cause)
) WITHOUT ROWID;
CREATE INDEX entries_by_account ON entries (account, at);
"""
_ADDED: Final[Mapping[str, str]] = {
    "subject": "''",
    "number": "0",
    "cause": "''",
    "suffering": "0",
    "evidence": "''",
    "up": "NULL",
    "losses": "0",
}
"""What version 2 added, and what an entry of version 1 has there."""
_BEFORE: Final = ", ".join(name for name in COLUMNS if name not in _ADDED)
_UPGRADE: Final = f"""
DROP INDEX entries_by_account;
ALTER TABLE entries RENAME TO entries_before;
{_SCHEMA}
INSERT INTO entries ({_BEFORE}, {", ".join(_ADDED)})
    SELECT {_BEFORE}, {", ".join(_ADDED.values())} FROM entries_before;
DROP TABLE entries_before;
"""
_WRITE: Final = (
    f"INSERT INTO entries ({', '.join(COLUMNS)})"
    f" VALUES ({', '.join('?' * len(COLUMNS))})"
    f" ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in _KEY)
)
_WRITE_SALVAGED: Final = (
    f"{_WRITE} WHERE coalesce(excluded.until, 0) >= coalesce(entries.until, 0)"
    " AND excluded.asked >= entries.asked"
)
"""A damaged file may hold several states of an entry: the one that says more stays."""
_NOTES: Final = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""
"""What the writer wants to know again after a restart. No part of the form that readers know, so
that an older cccamd, too, goes on with the file."""
_NEWEST_THINKABLE: Final = 1000
"""A greater version is damage, not a newer cccamd."""
_BUSY_TIMEOUT: Final = 5.0
_WAL_LIMIT: Final = 4 * 1024 * 1024
PRUNED_AT_ONCE: Final = 500
"""Entries; a longer transaction would keep readers and the disk busy."""
_RESTED_SHARE: Final = 0.9
"""What is too large shrinks to this share of its limit, so that it is not done all the time."""
_UNUSABLE: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
_MAGIC: Final = b"SQLite format 3\0"
BROKEN_KEPT: Final = 5
"""Damaged files; a disk that dies would fill itself with them."""


class JournalError(CccamdError):
    """The journal's file cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLimits:
    """How much is kept."""

    days: float = 90.0
    megabytes: float = 64.0


class DamagedError(JournalError):
    """The file is there, and is no sound journal any more."""


def is_damage(error: Exception) -> bool:
    """Whether an error of SQLite says that the file is damaged, and not that the disk is full,
    or somebody else busy with it."""
    if isinstance(error, DamagedError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    # SQLITE_ERROR: no such table or column.
    return code is not None and (code & 0xFF in _UNUSABLE or code == sqlite3.SQLITE_ERROR)


class Database:
    """The file, opened for writing. Used by one thread only."""

    def __init__(self, path: Path, *, check: bool = True) -> None:
        """Open the file, or make it. A damaged one is moved aside.

        `check`: look at all of its pages, which takes a second for 64 MiB.

        Raises:
            JournalError: it is of a newer version.
            sqlite3.Error, OSError: it cannot be opened.
        """
        self.path = path
        self.moved_aside: Path | None = None
        """Where a file went that was no journal any more."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        if not self._lock.take():
            raise JournalError(
                f"{path} is written by another server{self._lock.holder()}; give each its own"
                " node id file (-n), beside which its journal lies"
            )
        try:
            self._open(check=check)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, *, check: bool) -> None:
        path = self.path
        try:
            self._connection = _open(path, check=check)
        except (sqlite3.DatabaseError, DamagedError) as error:
            if not is_damage(error):
                raise
            self.moved_aside = move_aside(path)
            self._connection = _open(path)
            self.note("salvaging", self.moved_aside.name)
        # Kept open: the kernel drops SQLite's locks when any descriptor of the file is closed.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._identity = _identity(path)
        self._log_identity: tuple[int, int] | None = None
        self._least_size = path.stat().st_size
        self._changed_at = self._changes()

    def write(self, entries: Iterable[Entry], *, salvaged: bool = False) -> None:
        """Write all of them, or none.

        `salvaged`: they are from a damaged file, so an entry that is there and says more stays.
        """
        rows = [_row(entry) for entry in entries]
        with self._connection:
            self._connection.executemany(_WRITE_SALVAGED if salvaged else _WRITE, rows)
        if self._log_identity is None:
            self._log_identity = _identity(self._log)

    @property
    def is_in_place(self) -> bool:
        """Whether the files of our names are still the ones that we write."""
        return _identity(self.path) == self._identity and (
            self._log_identity is None or _identity(self._log) == self._log_identity
        )

    @property
    def _log(self) -> Path:
        return self.path.with_name(self.path.name + "-wal")

    def rest(self) -> None:
        """Take note that we write nothing until `was_touched` is asked."""
        self._changed_at = self._changes()

    def was_touched(self) -> bool:
        """Whether somebody else has written to the file or its log since `rest`: SQLite notices
        nothing of it as long as it need not read there again."""
        return self._changes() != self._changed_at

    def _changes(self) -> tuple[int, int]:
        try:
            log = self._log.stat().st_mtime_ns
        except FileNotFoundError:
            log = 0
        return os.fstat(self._file).st_mtime_ns, log

    def looks_damaged(self) -> bool:
        """Whether the file is cut off, or something else, as far as a glance tells."""
        begins, size = os.pread(self._file, len(_MAGIC), 0), os.fstat(self._file).st_size
        cut, self._least_size = size < self._least_size, size
        return cut or (size > 0 and begins != _MAGIC)

    def check(self) -> None:
        """Look at all pages of the file as it is on the disk.

        Raises:
            DamagedError, sqlite3.Error: it is damaged.
        """
        # Another connection: ours has pages in memory.
        with closing(sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT)) as connection:
            _check(connection, self.path, pages=True)
        # What somebody overwrote may still be whole in the log: so the file is mended.
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def abandon(self) -> Path:
        """Move the damaged file aside, let go of it, and return where it is."""
        aside = move_aside(self.path)
        with suppress(sqlite3.Error):
            self.close()
        fresh = Database(self.path)
        fresh.note("salvaging", aside.name)
        fresh.close()
        return aside

    def count(self, before: float) -> int:
        """How many entries are older than `before`."""
        query = "SELECT count(*) FROM entries WHERE at < ?"
        return int(self._connection.execute(query, (before,)).fetchone()[0])

    def noted(self, name: str) -> str | float | None:
        """What was noted under a name; None: nothing."""
        row = self._connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def note(self, name: str, value: str | float | None) -> None:
        """Note something for the next time that the file is opened."""
        with self._connection:
            statement = "INSERT OR REPLACE INTO notes VALUES (?, ?)"
            self._connection.execute(statement, (name, value))

    def newest(self, before: float) -> float | None:
        """The time of the newest entry older than `before`; None: there is none."""
        query = "SELECT max(at) FROM entries WHERE at < ?"
        found = self._connection.execute(query, (before,)).fetchone()[0]
        return None if found is None else float(found)

    def prune(self, limits: JournalLimits, now: float) -> int:
        """Delete what is too old or too much, the oldest first; return how many entries.

        `now`: the time that age is judged against (`AgeClock`).
        """
        oldest = now - 86_400 * limits.days
        pruned = self._delete("WHERE at < ?", (oldest,))
        most = limits.megabytes * 1024 * 1024
        if self._size() > most:
            while self._size() > _RESTED_SHARE * most:
                deleted = self._delete_some("", ())
                pruned += deleted
                if not deleted:
                    break
        if pruned:
            # Not `execute`: that frees one page only.
            self._connection.executescript("PRAGMA incremental_vacuum")
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._least_size = self.path.stat().st_size
        return pruned

    def close(self) -> None:
        """Let go of the file."""
        moved = _identity(self.path) != self._identity
        try:
            self._connection.close()
            if moved and self._log_identity and _identity(self._log) == self._log_identity:
                # SQLite leaves it there, and would take it for the log of the file there now.
                for suffix in ("-wal", "-shm"):
                    self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        finally:
            os.close(self._file)
            self._lock.release()

    def _delete(self, where: str, values: tuple[float, ...]) -> int:
        pruned = 0
        while deleted := self._delete_some(where, values):
            pruned += deleted
        return pruned

    def _delete_some(self, where: str, values: tuple[float, ...]) -> int:
        key = ", ".join(_KEY)
        chosen = f"SELECT {key} FROM entries {where} ORDER BY at LIMIT {PRUNED_AT_ONCE}"
        with self._connection:
            statement = f"DELETE FROM entries WHERE ({key}) IN ({chosen})"
            return self._connection.execute(statement, values).rowcount

    def _size(self) -> int:
        """Bytes in use, without pages that are free again."""
        pages = self._pragma("page_count") - self._pragma("freelist_count")
        return pages * self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])


def read_entries(
    path: Path,
    *,
    account: str | None = None,
    since: float | None = None,
    kinds: Collection[Kind] = (),
) -> Iterator[Entry]:
    """Read a journal, the oldest entry first, also while a server writes it.

    `kinds`: only these; all of them without. Visits count from when they ended: one that goes on
    now is younger than `since`.

    Raises:
        JournalError: there is none, or it cannot be read.
    """
    wheres = ["1"]
    values: list[str | float] = []
    if account is not None:
        wheres.append("account = ?")
        values.append(account)
    if since is not None:
        wheres.append("coalesce(until, at) >= ?")
        values.append(since)
    if kinds:
        wheres.append(f"kind IN ({', '.join('?' * len(kinds))})")
        values += [kind.value for kind in kinds]
    yield from _read(path, " AND ".join(wheres), values)


def read_numbered(path: Path, kind: Kind, number: int) -> Iterator[Entry]:
    """Read the entries of one kind that have this number; raises as `read_entries`."""
    yield from _read(path, "kind = ? AND number = ?", [kind.value, number])


def _read(path: Path, where: str, values: list[str | float]) -> Iterator[Entry]:
    try:
        with closing(open_to_read(path)) as connection:
            columns = ", ".join(_columns_to_read(connection))
            query = f"SELECT {columns} FROM entries WHERE {where} ORDER BY at"
            connection.text_factory = _text
            for row in connection.execute(query, values):
                entry = _entry(row)
                if entry is not None:
                    yield entry
    except sqlite3.Error as error:
        raise JournalError(f"{path}: cannot be read as a journal: {error}") from error


def _columns_to_read(connection: sqlite3.Connection) -> Iterator[str]:
    """Also a file that no newer server has opened yet can be read."""
    there = {row[1] for row in connection.execute("PRAGMA table_info(entries)")}
    if not there.issuperset(_BEFORE.split(", ")):
        raise sqlite3.DatabaseError("it has no table of entries")
    return (name if name in there else _ADDED[name] for name in COLUMNS)


def _open(path: Path, *, check: bool = False) -> sqlite3.Connection:
    # What people watch is nobody's business: made readable for the owner only.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}").fetchone()
        _make_tables(connection, path)
        _check(connection, path, pages=check)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not 0 <= version <= _NEWEST_THINKABLE:
        raise DamagedError(f"{path}: version {version} of its form is none")
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path} was written by a newer cccamd (version {version} of its form,"
            f" {SCHEMA_VERSION} is known here): nothing is written to it"
        )
    if version < SCHEMA_VERSION:
        script = _UPGRADE if version else _SCHEMA
        statements = [each for each in script.split(";") if each.strip()]
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _check(connection: sqlite3.Connection, path: Path, *, pages: bool) -> None:
    """Raises DamagedError if the table is not ours, or (`pages`) a page is not sound."""
    there = {row[1] for row in connection.execute("PRAGMA table_info(entries)")}
    if not there.issuperset(COLUMNS):
        raise DamagedError(f"{path}: its table is not that of a journal")
    connection.execute(_NOTES)
    if pages:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise DamagedError(f"{path}: {found}")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def move_aside(path: Path) -> Path:
    """Move a damaged file out of the way, with its log; return where it is."""
    numbers = sorted(_broken(path))
    for number in numbers[: 1 - BROKEN_KEPT]:
        for suffix in ("", "-wal"):
            _numbered(path, number, suffix).unlink(missing_ok=True)
    number = numbers[-1] + 1 if numbers else 1
    for suffix in ("-wal", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(_numbered(path, number, suffix))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    return _numbered(path, number)


def _numbered(path: Path, number: int, suffix: str = "") -> Path:
    return path.with_name(f"{path.name}.broken-{number}{suffix}")


def _broken(path: Path) -> Iterator[int]:
    for other in path.parent.iterdir():
        number = other.name.removeprefix(f"{path.name}.broken-")
        if number != other.name and number.isascii() and number.isdigit():
            yield int(number)


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a journal that a server may be writing.

    Raises:
        JournalError: there is none, or we may not read it.
        sqlite3.Error: it is none.
    """
    try:
        path.stat()
    except PermissionError:
        pass  # of a folder on the way there
    except OSError as error:
        is_none = isinstance(error, FileNotFoundError)
        what = "there is no such file" if is_none else f"cannot be read: {error.strerror}"
        raise JournalError(
            f"{path}: {what}; the journal lies beside the server's node id:"
            " where the server runs with -n, name it with --file"
        ) from None
    if not os.access(path, os.R_OK):
        raise JournalError(f"{path}: no permission to read it; run this as the server's user")
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT)
    try:
        connection.execute("SELECT 1 FROM entries LIMIT 1")
    except sqlite3.OperationalError:
        # A folder that cannot be written to: nobody writes the file now, so this is safe.
        connection.close()
        return sqlite3.connect(f"{uri}&immutable=1", uri=True)
    return connection


_values = attrgetter(*(field.name for field in fields(Entry)))
"""What `astuple` gives, without the copies that it makes of each value."""


def _row(entry: Entry) -> tuple[object, ...]:
    at, kind, *others = _values(entry)
    return (at, kind.value, *map(_storable, others))


def _storable(value: object) -> object:
    # Names come from outside: half a surrogate pair must not keep a whole batch from the file.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _entry(row: tuple[object, ...]) -> Entry | None:
    """None: of a kind that only a newer cccamd knows, or damaged."""
    values = dict(zip(COLUMNS, row, strict=True))
    try:
        return Entry(**(values | {"kind": Kind(values["kind"])}))  # type: ignore[arg-type]
    except ValueError:
        return None
