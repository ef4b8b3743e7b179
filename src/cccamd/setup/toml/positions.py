"""Where each key and value of a TOML text stands: `tomllib` does not tell.

The text is one that `tomllib` has accepted, so nothing is checked again. Should the scanner
lose its way all the same, it stops, and what it has not seen is looked for further up.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from cccamd.setup.files import Place
from cccamd.setup.toml.language import loads

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top: `("card", 1, "caid")`."""

_BLANK = re.compile(r"[ \t]*")
_SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE_OR_COMMA = re.compile(r"(?:[ \t\n,]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""{1,3}'
    r"|'''.*?'''{1,3}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
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
_MANY_DOTS = re.compile(rf"(?:\.[^.\n]*){{{PARTS_LIMIT}}}")
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*|[^\s,\]}#]+")


_PLAIN_HEADER = re.compile(r"\[(\[?)([A-Za-z0-9_-]+)\]\]?[ \t]*\n[ \t\n]*")
_PLAIN_ASSIGNMENT = re.compile(
    r"""([A-Za-z0-9_-]+)[ \t]*=[ \t]*("[^"\\\n]*"|'[^'\n]*'|[^\s,#"'\[\]{}]+)[ \t]*\n[ \t\n]*"""
)
"""Nearly all lines are such; each is read by one match."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Finds keys and values of one text."""

    file: str
    text: str
    _keys: dict[KeyPath, int]
    _values: dict[KeyPath, tuple[int, int]]
    _line_starts: list[int]

    def key(self, path: KeyPath) -> Place:
        """Find a key or table header; of an unknown path the nearest known part above it."""
        while path and path not in self._keys:
            if (found := self._values.get(path)) is not None and isinstance(path[-1], str):
                return self._position(self._key_before(found[0]))
            path = path[:-1]
        return self._position(self._keys.get(path, 0))

    def value(self, path: KeyPath) -> Place:
        """Find a value; without one the key above."""
        found = self._values.get(path)
        return self._position(found[0]) if found else self.key(path)

    def written(self, path: KeyPath) -> str:
        """Return a value as it was written; empty for tables with a header of their own."""
        start, end = self._values.get(path, (0, 0))
        return self.text[start:end]

    def _key_before(self, value: int) -> int:
        """The key of a plain assignment is the first word of its line."""
        start = self.text.rfind("\n", 0, value) + 1
        found = _BLANK.match(self.text, start)
        return found.end() if found else start

    def _position(self, offset: int) -> Place:
        line = bisect_right(self._line_starts, offset)
        return Place(self.file, line, offset - self._line_starts[line - 1] + 1)


def find_long_key(text: str) -> int | None:
    """Find the offset of the first key with more than `PARTS_LIMIT` parts, in any text."""
    if not _MANY_DOTS.search(text):  # as in nearly every file
        return None
    return next((found.start() for found in _LONG_KEY.finditer(text) if found["long"]), None)


def locate(text: str, file: str) -> Positions:
    """Scan a valid TOML text of a file of this name."""
    text = text.replace("\r\n", "\n")  # as tomllib does; lines and columns stay
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    scanner = _Scanner(text)
    scanner.scan()
    return Positions(file, text, scanner.keys, scanner.values, starts)


@dataclass(slots=True)
class _Scanner:
    text: str
    keys: dict[KeyPath, int] = field(default_factory=dict)
    """Without those of plain assignments: they are found by their values."""
    values: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    _at: int = 0
    _table: KeyPath = ()
    _last: dict[KeyPath, int] = field(default_factory=dict)
    """Of each `[[list of tables]]` the position of its newest table."""

    def scan(self) -> None:
        while self._at < len(self.text):
            if plain := _PLAIN_ASSIGNMENT.match(self.text, self._at):
                self.values[*self._table, plain[1]] = plain.span(2)
                self._at = plain.end()
            elif plain := _PLAIN_HEADER.match(self.text, self._at):
                self._enter([plain[2]], self._at, is_list=bool(plain[1]))
                self._at = plain.end()
            elif self._take(_SPACE):
                continue
            elif self._peek() == "[":
                self._take_header()
            else:
                self._take_assignment(self._table)

    def _peek(self) -> str:
        return self.text[self._at : self._at + 1]

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self._at)
        self._at = match.end() if match else len(self.text)
        return match.group() if match else ""

    def _take_header(self) -> None:
        start = self._at
        brackets = 2 if self.text.startswith("[[", start) else 1
        self._at += brackets
        names = [name for name, _ in self._take_key()]
        self._at += brackets
        self._enter(names, start, is_list=brackets == 2)

    def _enter(self, names: list[str], start: int, *, is_list: bool) -> None:
        path: KeyPath = ()
        for name in names[:-1]:
            path = self._newest((*path, name))
            self.keys.setdefault(path, start)
        path = (*path, *names[-1:])
        if is_list:
            self.keys.setdefault(path, start)
            self._last[path] = self._last.get(path, -1) + 1
            path = self._newest(path)
        self.keys.setdefault(path, start)
        self._table = path

    def _newest(self, path: KeyPath) -> KeyPath:
        return (*path, self._last[path]) if path in self._last else path

    def _take_key(self) -> list[tuple[str, int]]:
        """Read a dotted key: its parts, each with its offset."""
        parts: list[tuple[str, int]] = []
        while True:
            self._take(_BLANK)
            start = self._at
            parts.append((self._take_name(), start))
            self._take(_BLANK)
            if self._peek() != ".":
                return parts
            self._at += 1

    def _take_name(self) -> str:
        if self._peek() not in ("'", '"'):
            return self._take(_BARE_KEY)
        quoted = self._take(_STRING)
        return next(iter(loads(f"{quoted} = 0"))) if quoted else ""

    def _take_assignment(self, table: KeyPath) -> None:
        path = table
        for name, start in self._take_key():
            path = (*path, name)
            self.keys.setdefault(path, start)
        self._at += 1  # the equals sign
        self._take(_BLANK)
        self._take_value(path)

    def _take_value(self, path: KeyPath) -> None:
        start = self._at
        match self._peek():
            case "[":
                self._take_list(path)
            case "{":
                self._take_inline_table(path)
            case "'" | '"':
                self._take(_STRING)
            case _:
                self._take(_SCALAR)
        self.values[path] = (start, self._at)

    def _take_list(self, path: KeyPath) -> None:
        self._at += 1
        self._take(_SPACE_OR_COMMA)
        index = 0
        while self._peek() not in ("]", ""):
            self._take_value((*path, index))
            index += 1
            self._take(_SPACE_OR_COMMA)
        self._at += 1

    def _take_inline_table(self, path: KeyPath) -> None:
        self._at += 1
        self._take(_SPACE_OR_COMMA)
        while self._peek() not in ("}", ""):
            self._take_assignment(path)
            self._take(_SPACE_OR_COMMA)
        self._at += 1
