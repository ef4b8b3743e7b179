"""Where things stand in a TOML text that a parser has accepted: nothing is checked again.

Two passes. The first finds the headers of tables, by one match for each plain table with all that
is in it. The second takes the keys of one table apart, one after the other and only as far as
somebody asks: of a large file hardly any is asked for. Should either lose its way all the same,
it stops.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from cccamd.setup.toml.language import loads

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top: `("card", 1, "caid")`."""

DEPTH_LIMIT: Final = 12
"""Parts of a path. What is deeper is nothing of ours, and seen as a whole."""

_BLANK: Final = re.compile(r"[ \t]*")
_SPACE: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE_OR_COMMA: Final = re.compile(r"(?:[ \t\n,]|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""{1,3}'
    r"|'''.*?'''{1,3}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_KEY: Final = re.compile(rf"(?:[A-Za-z0-9_. \t-]+|{_STRING.pattern})+", re.DOTALL)
"""Of several parts, whatever is between them."""
_HEADER: Final = re.compile(rf"""\[(?:[^"'\]]|{_STRING.pattern})*\]+""", re.DOTALL)
_SCALAR: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*|[^\s,\]}#]+")

# What stands in one line, as nearly everything does. Repeats are bounded, for each costs memory
# while its pattern matches; what is longer is read in several matches.

_LINE_STRING: Final = r""""(?!"")[^"\\\n]*(?:\\.[^"\\\n]*)*"|'(?!'')[^'\n]*'"""
_BETWEEN: Final = r"""[^\[\]{}"'#\n]*"""


def _brackets(depth: int) -> str:
    """The pattern of a list or an inline table with so many levels of others in it."""
    inner = rf"{_LINE_STRING}|{_brackets(depth - 1)}" if depth else _LINE_STRING
    return rf"[\[{{]{_BETWEEN}(?:(?:{inner}){_BETWEEN}){{0,99}}[\]}}]"


_NESTED: Final = _brackets(5)
_LINE_SCALAR: Final = r"""[^\s,#"'\[\]{}]+"""
_LINE_KEY: Final = r"""(?:[A-Za-z0-9_.-]+|"[^"\\\n]*"|'[^'\n]*')"""
_LINE_END: Final = r"[ \t]*(?:#[^\n]*)?\n"
_LINES: Final = re.compile(
    rf"(?:[ \t]*(?:{_LINE_KEY}[ \t]*=[ \t]*(?:{_LINE_STRING}|{_LINE_SCALAR}|{_NESTED}))?"
    rf"{_LINE_END}){{0,99}}"
)
_LINE_HEADER: Final = re.compile(rf"[ \t]*(\[\[?)([A-Za-z0-9_.-]+)\]\]?{_LINE_END}")
_LINE_ASSIGNMENT: Final = re.compile(
    rf"([A-Za-z0-9_-]+)[ \t]*=[ \t]*({_LINE_STRING}|{_LINE_SCALAR}){_LINE_END}[ \t\n]*"
)
_LINE_BRACKETS: Final = re.compile(_NESTED)
_BRACKETS: Final = re.compile(r"\[+|\{+|\]+|\}+|")
_INSIDE: Final = re.compile(rf"""(?:[^\[\]{{}}"'#]+|\#[^\n]*|{_LINE_STRING}|{_NESTED}){{0,99}}""")


@dataclass(slots=True)
class Cursor:
    """Reads one thing after the other."""

    text: str
    """Its lines end with `\\n`, the last one too."""
    at: int = 0

    def peek(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def take(self, pattern: re.Pattern[str]) -> str:
        """What matches here; without a match the rest of the text goes unread."""
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else len(self.text)
        return match.group() if match else ""

    def take_key(self) -> list[tuple[str, int]]:
        """Read a dotted key: its parts, each with its offset."""
        parts: list[tuple[str, int]] = []
        while True:
            self.take(_BLANK)
            start = self.at
            parts.append((self._take_name(), start))
            self.take(_BLANK)
            if self.peek() != ".":
                return parts
            self.at += 1

    def _take_name(self) -> str:
        if self.peek() not in ("'", '"'):
            return self.take(_BARE_KEY)
        quoted = self.take(_STRING)
        return next(iter(loads(f"{quoted} = 0"))) if quoted else ""

    def take_equals(self) -> None:
        """Read the equals sign, and what is blank behind it."""
        self.at += 1
        self.take(_BLANK)

    def skip_value(self) -> None:
        """Read a value whatever is in it."""
        if self.peek() in ("'", '"'):
            self.take(_STRING)
        elif self.peek() not in ("[", "{"):
            self.take(_SCALAR)
        elif plain := _LINE_BRACKETS.match(self.text, self.at):
            self.at = plain.end()
        else:
            self._skip_brackets()

    def _skip_brackets(self) -> None:
        depth, before = 0, -1
        while self.at > before:
            before = self.at
            run = self.take(_BRACKETS)
            if run[:1] in ("[", "{"):
                depth += len(run)
            elif run:
                # Those that close more than this value belong to what it is in.
                self.at -= max(0, len(run) - depth)
                depth -= len(run)
            elif self.peek() in ("'", '"'):
                self.take(_STRING)
            if depth <= 0:
                return
            self.take(_INSIDE)


@dataclass(slots=True)
class Headers:
    """Where tables begin, as far as somebody has asked."""

    cursor: Cursor
    bodies: dict[KeyPath, int] = field(default_factory=lambda: {(): 0})
    """Of tables that are in no list: where their own header stands."""
    _first: dict[KeyPath, int] = field(default_factory=dict)
    """What is named in headers first where; without the tables of lists."""
    _lists: dict[KeyPath, list[int]] = field(default_factory=dict)
    """Of each list of tables, where each of its tables begins."""

    def find(self, path: KeyPath) -> int | None:
        """Where a table or list is named first, of what has been read; None: nowhere."""
        if path and isinstance(number := path[-1], int):
            starts = self._lists.get(path[:-1], ())
            return starts[number] if number < len(starts) else None
        return self._first.get(path)

    def find_body(self, path: KeyPath) -> int | None:
        """Where the header stands that a table's keys follow; of the top the beginning."""
        if path and isinstance(path[-1], int):
            return self.find(path)
        return self.bodies.get(path)

    def read_on(self) -> KeyPath | None:
        """Read up to the next header and over it, and say of which table; None: there is none."""
        cursor, before = self.cursor, -1
        while cursor.at > before:
            before = cursor.at
            cursor.take(_LINES)
            if plain := _LINE_HEADER.match(cursor.text, cursor.at):
                cursor.at = plain.end()
                return self._enter(plain[2].split("."), plain.start(1), is_list=plain[1] == "[[")
            if cursor.at == before and (entered := self._read_other()):
                return entered
        return None

    def _read_other(self) -> KeyPath | None:
        """Read what is written in a way that few do."""
        cursor = self.cursor
        cursor.take(_SPACE)
        start = cursor.at
        if cursor.peek() == "[":
            is_list = cursor.text.startswith("[[", start)
            cursor.at += 1 + is_list
            names = [name for name, _ in cursor.take_key()]
            cursor.at += 1 + is_list
            return self._enter(names, start, is_list=is_list)
        if cursor.peek():
            cursor.take(_KEY)
            cursor.take_equals()
            cursor.skip_value()
        return None

    def _enter(self, names: list[str], start: int, *, is_list: bool) -> KeyPath:
        path: KeyPath = ()
        for name in names[:-1]:
            path = self._newest((*path, name))
            self._first.setdefault(path, start)
        path = (*path, names[-1])
        self._first.setdefault(path, start)
        if is_list:
            self._lists.setdefault(path, []).append(start)
            return self._newest(path)
        self.bodies[path] = start
        return path

    def _newest(self, path: KeyPath) -> KeyPath:
        starts = self._lists.get(path)
        return path if starts is None else (*path, len(starts) - 1)


@dataclass(slots=True)
class Body:
    """The keys and values of one table, as far as they have been asked for."""

    table: KeyPath
    cursor: Cursor
    """At first where its header stands."""
    keys: dict[KeyPath, int]
    """Found keys go here, without those of plain assignments: they are found by their values."""
    values: dict[KeyPath, int]
    """Where found values begin goes here."""
    _open: list["_Container"] = field(default_factory=list)
    _begun: bool = False

    def find(self, path: KeyPath) -> bool:
        """Read on until something is found there; False: nothing is, and all has been read."""
        while path not in self.values and path not in self.keys:
            if not self._read_on():
                return False
        return True

    def _read_on(self) -> bool:
        """Read a little; False: there is no more."""
        cursor = self.cursor
        if not self._begun:
            self._begun = True
            cursor.take(_SPACE)
            if self.table and cursor.peek() == "[":
                cursor.take(_HEADER)
        if self._open:
            self._go_on()
        elif plain := _LINE_ASSIGNMENT.match(cursor.text, cursor.at):
            self.values[*self.table, plain[1]] = plain.start(2)
            cursor.at = plain.end()
        elif cursor.take(_SPACE):
            pass
        elif cursor.peek() in ("", "["):
            return False
        else:
            self._take_value(self._take_key(self.table))
        return True

    def _take_key(self, table: KeyPath) -> KeyPath:
        path = table
        for name, start in self.cursor.take_key():
            path = (*path, name)
            self.keys.setdefault(path, start)
        self.cursor.take_equals()
        return path

    def _take_value(self, path: KeyPath) -> None:
        self.values[path] = self.cursor.at
        bracket = self.cursor.peek()
        if bracket in ("[", "{") and len(path) < DEPTH_LIMIT:
            self.cursor.at += 1
            self._open.append(_Container(path, is_list=bracket == "["))
        else:
            self.cursor.skip_value()

    def _go_on(self) -> None:
        """Read the next thing in the innermost list or inline table that is open."""
        within = self._open[-1]
        self.cursor.take(_SPACE_OR_COMMA)
        if self.cursor.peek() in ("]", "}", ""):
            self.cursor.at += 1
            self._open.pop()
        elif within.is_list:
            self._take_value((*within.path, within.number))
            within.number += 1
        else:
            self._take_value(self._take_key(within.path))


@dataclass(slots=True)
class _Container:
    """A list or an inline table that is not at its end."""

    path: KeyPath
    is_list: bool
    number: int = 0
    """Of the next element."""
