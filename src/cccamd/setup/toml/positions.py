"""Where each key and value of a TOML text stands: `tomllib` does not tell."""

import re
from dataclasses import dataclass, field

from cccamd.setup.files import Place
from cccamd.setup.toml.scanning import Body, Cursor, Headers, KeyPath

PARTS_LIMIT = 16
"""Of a dotted key. Ours have three; the time that one takes to parse grows with their square."""
_NAME = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_LONG_KEY = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"""{1,3}|\\?\Z)'
    r"|'''.*?(?:'''{1,3}|\Z)"
    r"|#[^\n]*"
    rf"|(?P<long>{_NAME}(?:[ \t]*\.[ \t]*{_NAME}){{{PARTS_LIMIT}}})"
    rf"|{_NAME}",
    re.DOTALL,
)
"""Text without an end is taken whole: looking for the end from each place would be slow."""
_MANY_DOTS = re.compile(rf"\.[^.\n]*(?:\.[^.\n]*){{{PARTS_LIMIT - 1}}}")
"""It begins with a letter of its own, for which a text is searched quickly."""
_BLOCK = 8192
"""Characters. Lines are counted so many at once."""
_BLANK = re.compile(r"[ \t]*")


@dataclass(slots=True)
class Places:
    """Where the tables stand that are used, by their headings in messages."""

    file: str
    _paths: dict[str, KeyPath] = field(default_factory=dict)
    _positions: "Positions | None" = field(default=None, repr=False)
    """None: all are settled."""
    _settled: dict[str, Place] = field(default_factory=dict)

    def find(self, heading: str) -> Place:
        """Where one stands; else the whole file."""
        path = self._paths.get(heading)
        if self._positions is None or path is None:
            return self._settled.get(heading, Place(self.file))
        return self._positions.value(path)

    def settle(self) -> None:
        """Look all of them up and let go of the text, which a server needs no longer: in a large
        file it would take too long later, between two ECMs."""
        self._settled = {heading: self.find(heading) for heading in self._paths}
        self._positions = None


@dataclass(frozen=True, slots=True)
class Positions:
    """Finds keys and values of one text, which is read only as far as they are asked for."""

    file: str
    text: str = field(repr=False)
    _headers: Headers = field(repr=False)
    _lines: list[int] = field(default_factory=list, repr=False)
    """In which line each block starts, as far as somebody asked."""
    _bodies: dict[KeyPath, Body] = field(default_factory=dict, repr=False)
    _keys: dict[KeyPath, int] = field(default_factory=dict, repr=False)
    _values: dict[KeyPath, int] = field(default_factory=dict, repr=False)

    def key(self, path: KeyPath) -> Place:
        """Find a key or table header; of an unknown path the nearest known part above it."""
        while path:
            self._seek(path)
            if (at := self._headers.find(path)) is not None:
                return self._place(at)
            if isinstance(path[-1], str):
                if (at := self._keys.get(path)) is not None:
                    return self._place(at)
                if (found := self._values.get(path)) is not None:
                    return self._place(self._key_before(found))
            path = path[:-1]
        return self._place(0)

    def value(self, path: KeyPath) -> Place:
        """Find a value; without one the key above."""
        self._seek(path)
        found = self._values.get(path)
        return self.key(path) if found is None else self._place(found)

    def written(self, path: KeyPath) -> str:
        """Return a value as it was written; empty for tables with a header of their own."""
        self._seek(path)
        if (start := self._values.get(path)) is None:
            return ""
        cursor = Cursor(self.text, start)
        cursor.skip_value()
        return self.text[start : cursor.at]

    def _seek(self, path: KeyPath) -> None:
        """Read on until it is found, or all has been read that it may be in."""
        headers = self._headers
        if headers.find(path) is not None:
            return
        for length in range(len(path) - 1, -1, -1):
            if self._is_in(path[:length], path):
                return
        while (entered := headers.read_on()) is not None:
            if headers.find(path) is not None:
                return
            if entered == path[: len(entered)] and self._is_in(entered, path):
                return

    def _is_in(self, table: KeyPath, path: KeyPath) -> bool:
        """Whether something is among the keys of a table whose header was read."""
        body = self._bodies.get(table)
        if body is None:
            if (start := self._headers.find_body(table)) is None:
                return False
            cursor = Cursor(self.text, start)
            body = self._bodies[table] = Body(table, cursor, self._keys, self._values)
        return body.find(path)

    def _key_before(self, value: int) -> int:
        """The key of a plain assignment is the first word of its line."""
        found = _BLANK.match(self.text, self.text.rfind("\n", 0, value) + 1)
        return found.end() if found else value

    def _place(self, offset: int) -> Place:
        text, lines = self.text, self._lines
        block = offset // _BLOCK
        for number in range(len(lines), block + 1):
            start = (number - 1) * _BLOCK
            lines.append(lines[-1] + text.count("\n", start, start + _BLOCK) if lines else 1)
        line = lines[block] + text.count("\n", block * _BLOCK, offset)
        return Place(self.file, line, offset - text.rfind("\n", 0, offset))


def find_long_key(text: str) -> int | None:
    """Find the offset of the first key with more than `PARTS_LIMIT` parts, in any text."""
    if not _MANY_DOTS.search(text):  # as in nearly every file
        return None
    return next((found.start() for found in _LONG_KEY.finditer(text) if found["long"]), None)


def locate(text: str, file: str) -> Positions:
    """Take a valid TOML text of a file of this name."""
    text = text.replace("\r\n", "\n")  # as tomllib does; lines and columns stay
    if not text.endswith("\n"):
        text += "\n"
    return Positions(file, text, Headers(Cursor(text)))
