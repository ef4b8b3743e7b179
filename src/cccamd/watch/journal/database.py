"""The journal's file: SQLite in WAL mode, so that a kill at any moment leaves whole entries."""

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cccamd.errors import CccamdError
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
_BUSY_TIMEOUT: Final = 5.0
_WAL_LIMIT: Final = 4 * 1024 * 1024
PRUNED_AT_ONCE: Final = 500
"""Entries; a longer transaction would keep readers and the disk busy."""
_RESTED_SHARE: Final = 0.9
"""What is too large shrinks to this share of its limit, so that it is not done all the time."""
_UNUSABLE: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


class JournalError(CccamdError):
    """The journal's file cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLimits:
    """How much is kept."""

    days: float = 90.0
    megabytes: float = 64.0


class Database:
    """The file, opened for writing. Used by one thread only."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            JournalError: it is of a newer version.
            sqlite3.Error, OSError: it cannot be opened.
        """
        self.path = path
        self.moved_aside: Path | None = None
        """Where a file went that was no journal any more."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = _open(path)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in _UNUSABLE:
                raise
            self.moved_aside = _move_aside(path)
            self._connection = _open(path)

    def write(self, entries: Iterable[Entry]) -> None:
        """Write all of them, or none."""
        rows = [_row(entry) for entry in entries]
        with self._connection:
            self._connection.executemany(_WRITE, rows)

    def prune(self, limits: JournalLimits, now: float) -> int:
        """Delete what is too old or too much, the oldest first; return how many entries."""
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
        return pruned

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

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
            for row in connection.execute(query, values):
                yield _entry(row)
    except sqlite3.Error as error:
        raise JournalError(f"{path}: cannot be read as a journal: {error}") from error


def _columns_to_read(connection: sqlite3.Connection) -> Iterator[str]:
    """Also a file that no newer server has opened yet can be read."""
    there = {row[1] for row in connection.execute("PRAGMA table_info(entries)")}
    return (name if name in there else _ADDED[name] for name in COLUMNS)


def _open(path: Path) -> sqlite3.Connection:
    # What people watch is nobody's business: made readable for the owner only.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}").fetchone()
        _make_tables(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
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


def _move_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.broken")
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a journal that a server may be writing.

    Raises:
        JournalError: there is none, or we may not read it.
        sqlite3.Error: it is none.
    """
    if not path.exists():
        raise JournalError(
            f"{path}: there is no such file; the journal lies beside the server's node id:"
            " where the server runs with -n, name it with --file"
        )
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


def _row(entry: Entry) -> tuple[object, ...]:
    at, kind, *others = astuple(entry)
    return (at, kind.value, *others)


def _entry(row: tuple[object, ...]) -> Entry:
    values = dict(zip(COLUMNS, row, strict=True))
    return Entry(**(values | {"kind": Kind(values["kind"])}))  # type: ignore[arg-type]
