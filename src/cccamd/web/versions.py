"""Versions of a view, and the differences between them: sans-IO.

    whole       {"version": V, "parts": {part: {"put": {key: row}}}}
    difference  {"version": V, "from": U, "parts": {part: {"put": {key: fields}, "gone": [keys]}}}

Who has version U and gets the difference from U has V; who has anything else, or missed one,
takes the whole again. A version is named `BEGINNING-NUMBER`; the beginning tells one run of the
server from the next. Fields of a row that have not changed are left out of a difference.
"""

import json
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from typing import Final

from cccamd.web.context import Json

Row = Mapping[str, Json]
Rows = Mapping[str, Row]
View = Mapping[str, Rows]

KEPT: Final = 60
"""Differences that are kept: who was away for less than so many gets them instead of the whole."""
ROWS_AT_ONCE: Final = 50
_MISSING: Final = object()


class Versions:
    """The last view, and how it came to be."""

    def __init__(self, beginning: str) -> None:
        self._beginning = beginning
        self._number = 0
        self._view: View = {}
        self._differences: deque[str] = deque(maxlen=KEPT)
        """The newest last, which leads to the last view."""

    @property
    def version(self) -> str:
        """The name of the last view."""
        return f"{self._beginning}-{self._number}"

    def advance(self, view: View) -> Generator[None, None, None]:
        """Take a new view, in steps; one that is like the last makes no version."""
        parts: dict[str, Json] = {}
        for name, rows in view.items():
            change = yield from _difference(self._view.get(name, {}), rows)
            if change:
                parts[name] = change
        before, is_first, self._view = self.version, not self._view, view
        if not parts:
            return
        self._number += 1
        if is_first:
            return  # that it differs from nothing helps nobody
        yield
        self._differences.append(_dump({"version": self.version, "from": before, "parts": parts}))

    def since(self, version: str) -> list[str] | None:
        """The differences that lead from `version` to the last view; None: take the whole."""
        beginning, _, number = version.rpartition("-")
        if beginning != self._beginning or not number.isdecimal():
            return None
        missing = self._number - int(number[:9])
        if not 0 <= missing <= len(self._differences):
            return None
        return list(self._differences)[len(self._differences) - missing :]

    def whole(self) -> Generator[None, None, tuple[str, str]]:
        """The last view as JSON, in steps, after its version."""
        version, parts = self.version, []
        for name, rows in self._view.items():
            texts: list[str] = []
            for count, (key, row) in enumerate(rows.items(), 1):
                texts.append(f"{_dump(key)}:{_dump(row)}")
                if not count % ROWS_AT_ONCE:
                    yield
            parts.append(f'{_dump(name)}:{{"put":{{{",".join(texts)}}}}}')
        yield
        return version, f'{{"version":{_dump(version)},"parts":{{{",".join(parts)}}}}}'


def _difference(old: Rows, new: Rows) -> Generator[None, None, dict[str, Json]]:
    put: dict[str, Json] = {}
    for count, (key, row) in enumerate(new.items(), 1):
        known = old.get(key)
        if known is None:
            put[key] = row
        elif known is not row and known != row:
            put[key] = dict(_changed(known, row))
        if not count % ROWS_AT_ONCE:
            yield
    gone: list[Json] = [key for key in old if key not in new]
    return {
        **({"put": put} if put else {}),
        **({"gone": gone} if gone else {}),
    }


def _changed(old: Row, new: Row) -> Iterator[tuple[str, Json]]:
    for name, value in new.items():
        if old.get(name, _MISSING) != value:
            yield name, value


def _dump(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
