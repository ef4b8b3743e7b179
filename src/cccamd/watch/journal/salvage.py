"""What can still be read of a damaged journal: its rows, page by page, without SQLite.

SQLite gives up at the first page that is not as it should be, and reads nothing at all when the
first one is gone. But every row stands whole on a page of its own kind, whatever happened to the
pages around it. So each page of the file and of its write-ahead log is looked at by itself: what
looks like a page of the table is taken apart (https://www.sqlite.org/fileformat.html), and a row
counts when it has as many columns as ours and each is of the kind that it should be.

Pages that are free again may hold rows that were deleted, or older states of one: whoever writes
them down lets the state that says more win.
"""

import math
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from cccamd.watch.journal.entries import Entry, Kind

STORED: Final = (
    *("at", "kind", "account", "address", "caid", "ident", "sid", "subject", "cause"),
    *("until", "source", "asked", "answered", "median", "worst", "text", "number"),
    *("suffering", "evidence", "up", "losses"),
)
"""In a table without row ids the key comes first, then the others as they were declared."""
_TIMES: Final = frozenset({"at", "until", "median", "worst", "up"})
_MAY_LACK: Final = frozenset({"until", "median", "worst", "up"})
_TEXTS: Final = frozenset({"kind", "account", "address", "source", "text", "subject", "cause"}) | {
    "evidence"
}
_LAST_TIME: Final = 253_402_300_799.0
"""The end of the year 9999."""
_MAGIC: Final = b"SQLite format 3\0"
_USUAL_PAGE: Final = 4096
_LOG_MAGIC: Final = frozenset({0x377F0682, 0x377F0683})
_LOG_HEADER, _FRAME_HEADER, _FILE_HEADER = 32, 24, 100
_INTERIOR, _LEAF = 0x02, 0x0A
_ROW_LIMIT: Final = 1024 * 1024
"""Bytes of a row; a number that says more is damaged."""
_WHOLE: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Bytes of an integer, by its type."""


def salvage(path: Path) -> Iterator[list[Entry]]:
    """Yield the rows of one page after the other; an empty list for a page without any.

    Never raises for what stands in the file; what the disk does not give is passed over.
    """
    with ExitStack() as stack:
        main = _open(path, stack)
        log = _open(path.with_name(path.name + "-wal"), stack)
        pages = _Pages(main, log)
        for page, start in pages.all():
            try:
                yield list(_rows(page, start, pages))
            except (ValueError, IndexError, struct.error):
                yield []


def _open(path: Path, stack: ExitStack) -> int | None:
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    stack.callback(os.close, number)
    return number


class _Pages:
    """The pages of both files, in the order in which they were written."""

    def __init__(self, main: int | None, log: int | None) -> None:
        self._main, self._log = main, log
        self.size = self._page_size()
        self._newest: dict[int, int] = {}
        """Where in the log a page stands last, by its number."""
        self._frames = list(self._read_frames())

    def all(self) -> Iterator[tuple[bytes, int]]:
        """Each page, and where its own header begins."""
        count = 0 if self._main is None else -(-os.fstat(self._main).st_size // self.size)
        for number in range(1, count + 1):
            page = _read(self._main, (number - 1) * self.size, self.size)
            yield page.ljust(self.size, b"\0"), _FILE_HEADER if number == 1 else 0
        for at, number in self._frames:
            yield _read(self._log, at, self.size), _FILE_HEADER if number == 1 else 0

    def get(self, number: int) -> bytes:
        """The newest state of one page; empty: there is none."""
        at = self._newest.get(number)
        if at is not None:
            return _read(self._log, at, self.size)
        return _read(self._main, (number - 1) * self.size, self.size) if number else b""

    def _page_size(self) -> int:
        head = _read(self._main, 0, _FILE_HEADER)
        told = struct.unpack_from(">H", head, 16)[0] if head.startswith(_MAGIC) else 0
        if told == 1:
            return 65_536
        return told if told >= 512 and not told & (told - 1) else _USUAL_PAGE

    def _read_frames(self) -> Iterator[tuple[int, int]]:
        head = _read(self._log, 0, _LOG_HEADER)
        if len(head) < _LOG_HEADER or struct.unpack_from(">I", head)[0] not in _LOG_MAGIC:
            return
        assert self._log is not None
        end = os.fstat(self._log).st_size - self.size
        for at in range(_LOG_HEADER + _FRAME_HEADER, end + 1, _FRAME_HEADER + self.size):
            header = _read(self._log, at - _FRAME_HEADER, 4)
            if len(header) == 4:
                number = struct.unpack(">I", header)[0]
                self._newest[number] = at
                yield at, number


def _read(file: int | None, at: int, size: int) -> bytes:
    if file is None or at < 0:
        return b""
    try:
        return os.pread(file, size, at)
    except OSError:  # a place of the disk that is broken
        return b""


def _rows(page: bytes, start: int, pages: _Pages) -> Iterator[Entry]:
    kind = page[start]
    if kind not in (_INTERIOR, _LEAF):
        return
    count = struct.unpack_from(">H", page, start + 3)[0]
    pointers = start + (12 if kind == _INTERIOR else 8)
    if pointers + 2 * count > len(page):
        count = (len(page) - pointers) // 2
    for at in struct.unpack_from(f">{count}H", page, pointers):
        try:
            # In the pages between, the number of a page stands before the row.
            payload = _payload(page, at + (4 if kind == _INTERIOR else 0), pages)
            entry = _entry(payload)
        except (ValueError, IndexError, struct.error):
            continue
        if entry is not None:
            yield entry


def _payload(page: bytes, at: int, pages: _Pages) -> bytes:
    size, at = _varint(page, at)
    if size > _ROW_LIMIT:
        raise ValueError(size)
    usable = pages.size
    most = (usable - 12) * 64 // 255 - 23
    if size <= most:
        return page[at : at + size]
    least = (usable - 12) * 32 // 255 - 23
    local = least + (size - least) % (usable - 4)
    local = local if local <= most else least
    parts, have = [page[at : at + local]], local
    following = struct.unpack_from(">I", page, at + local)[0]
    while have < size:
        more = pages.get(following)
        following = struct.unpack_from(">I", more)[0]
        part = more[4 : 4 + size - have]
        parts.append(part)
        have += len(part)
        if not part:
            raise ValueError(size)
    return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    return value << 8 | data[at], at + 1


def _entry(payload: bytes) -> Entry | None:
    """The entry that a row holds; None: it is of another table, or damaged."""
    header, at = _varint(payload, 0)
    types: list[int] = []
    while at < header and len(types) <= len(STORED):
        kind, at = _varint(payload, at)
        types.append(kind)
    if at != header or len(types) != len(STORED):
        return None
    values: dict[str, object] = {}
    for name, kind in zip(STORED, types, strict=True):
        value, at = _value(payload, at, kind)
        values[name] = _checked(name, value)
    if at != len(payload):
        return None
    return Entry(**(values | {"kind": Kind(values["kind"])}))  # type: ignore[arg-type]


def _value(payload: bytes, at: int, kind: int) -> tuple[object, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    if kind in _WHOLE:
        end = at + _WHOLE[kind]
        return int.from_bytes(payload[at:end], "big", signed=True), end
    if kind < 13 or not kind & 1:
        raise ValueError(kind)  # bytes, of which we have none
    end = at + (kind - 13) // 2
    return payload[at:end].decode("utf-8"), end


def _checked(name: str, value: object) -> object:
    if value is None and name in _MAY_LACK:
        return None
    if name in _TIMES:
        if not isinstance(value, int | float):
            raise ValueError(name)
        number = float(value)
        if not math.isfinite(number) or not 0 <= number <= _LAST_TIME:
            raise ValueError(name)
        return number
    if isinstance(value, str) is not (name in _TEXTS) or isinstance(value, float) or value is None:
        raise ValueError(name)
    return value
