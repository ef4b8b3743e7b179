"""What the lines of one file say, gathered: values of keys, accounts, upstreams."""

from collections.abc import Collection
from typing import Any, NamedTuple, TypeVar, cast

from cccamd.ids import PORT_LIMIT, LoginKey
from cccamd.setup.cccamcfg.diagnostics import Code, LineNotes, LineRefusedError
from cccamd.setup.cccamcfg.directives import Implemented, Value
from cccamd.setup.cccamcfg.endings import Endings
from cccamd.setup.cccamcfg.f_line import f_line_like, read_f_line
from cccamd.setup.cccamcfg.lexer import Token
from cccamd.setup.cccamcfg.model import CLine, Codec, FLine, NLine, Settings, UnsupportedLine
from cccamd.setup.cccamcfg.plain_endings import account_that_ends, upstream_that_ends
from cccamd.setup.cccamcfg.upstream_lines import (
    c_line_like,
    n_line_like,
    read_c_line,
    read_n_line,
)
from cccamd.setup.files import Place


class Assignment(NamedTuple):
    """One value and where it was written."""

    directive: Implemented
    written_as: str
    """The key as the file names it; maybe an old name."""
    value: Value
    file: str
    line: int
    column: int

    @property
    def place(self) -> Place:
        """Where the value stands."""
        return Place(self.file, self.line, self.column)


class Assignments:
    """Keeps the last value of each key, and all values of keys that may be repeated."""

    def __init__(self) -> None:
        self._last: dict[str, Assignment] = {}
        self._repeated: dict[str, list[Assignment]] = {}

    def set(self, assignment: Assignment) -> None:
        """Let a value count from now on."""
        directive = assignment.directive
        self._last[directive.name] = assignment
        if directive.repeatable:
            self._repeated.setdefault(directive.name, []).append(assignment)

    def all(self) -> Collection[Assignment]:
        """List the assignments that count."""
        return self._last.values()

    def get(self, name: str) -> Assignment | None:
        """Find the assignment that counts, by the vendor's name."""
        return self._last.get(name)

    def switch(self, name: str, default: bool) -> bool:
        """Value of a switch, or the default."""
        found = self._last.get(name)
        return cast(bool, found.value) if found else default

    def number(self, name: str, default: int) -> int:
        """Value of a port or number, or the default."""
        found = self._last.get(name)
        return cast(int, found.value) if found else default

    def text(self, name: str) -> str | None:
        """Value of a text, or None."""
        found = self._last.get(name)
        return cast(str, found.value) if found else None

    def names_of_settings(self) -> tuple[str, ...]:
        """Vendor names of the keys that go to `Settings`, in the order they were first set."""
        return tuple(name for name, found in self._last.items() if found.directive.setting)

    def places(self) -> dict[str, tuple[Place, ...]]:
        """Where the values that count stand, by the vendor's names of their keys."""
        return {
            name: tuple(each.place for each in self._repeated.get(name, (found,)))
            for name, found in self._last.items()
        }

    def settings(self) -> Settings:
        """Fill in what was set; the rest keeps the model's defaults."""
        fields: dict[str, Any] = {
            found.directive.setting: self._whole_value(name)
            for name, found in self._last.items()
            if found.directive.setting
        }
        return Settings(**fields)

    def _whole_value(self, name: str) -> Value | tuple[Value, ...]:
        repeated = self._repeated.get(name)
        if repeated is None:
            return self._last[name].value
        return tuple(assignment.value for assignment in repeated)


_Upstream = TypeVar("_Upstream", CLine, NLine)


class PlainLine(NamedTuple):
    """A physical line of plain words, taken apart."""

    letter: str
    """F, C or N."""
    host: str
    port: int
    """Of an F-line 0. It may be too large."""
    login: tuple[str, str]
    """User and password."""
    ending: str
    """What stands behind them."""
    column: int
    """Of the first word."""


class LetterLines:
    """Collects the letter lines that can be used."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._accounts: dict[str, FLine] = {}
        self._c_lines: dict[LoginKey, CLine] = {}
        self._n_lines: dict[LoginKey, NLine] = {}
        self._unsupported: list[UnsupportedLine] = []
        self._like_f: Endings[FLine] = Endings()
        self._like_c: Endings[CLine] = Endings()
        self._like_n: Endings[NLine] = Endings()

    def read_account(self, value: Token, notes: LineNotes) -> None:
        """Read an F-line.

        Raises:
            LineRefusedError: there is no account.
        """
        line = read_f_line(value, notes, self._codec, self._like_f)
        first = self._accounts.setdefault(line.user, line)
        if first is not line:
            _note_user_repeated(first, value.column, notes)

    def take_plain(self, plain: PlainLine, notes: LineNotes) -> bool:
        """Take a line of plain words if one before ended like it. Else say so."""
        ending, number = plain.ending, notes.line
        if plain.port > PORT_LIMIT:
            return False
        match plain.letter:
            case "F":
                like_f = self._like_f.get(ending)
                if like_f is None and ending:
                    if (like_f := account_that_ends(ending, self._codec)) is None:
                        return False
                    self._like_f.keep(ending, like_f, notes)
                self._take_plain_account(plain, like_f, notes)
            case "C" if like_c := self._like_c.get(ending) or self._c_line_that_ends(ending, notes):
                c_line = c_line_like(like_c, number, plain.host, plain.port, plain.login)
                _keep_first(self._c_lines, c_line, plain.column, notes)
            case "N" if like_n := self._like_n.get(ending):
                n_line = n_line_like(like_n, number, plain.host, plain.port, plain.login)
                _keep_first(self._n_lines, n_line, plain.column, notes)
            case _:
                return False
        return True

    def _c_line_that_ends(self, ending: str, notes: LineNotes) -> CLine | None:
        like = upstream_that_ends(ending, self._codec)
        if like is not None:
            self._like_c.keep(ending, like, notes)
        return like

    def _take_plain_account(self, plain: PlainLine, like: FLine | None, notes: LineNotes) -> None:
        user, password = plain.login
        first = self._accounts.get(user)
        if first is not None:
            _note_user_repeated(first, plain.column, notes)
        elif like is not None:
            self._accounts[user] = f_line_like(like, user, password, notes.line)
        else:
            line = FLine(line=notes.line, user=user, password=password, codec=self._codec)
            self._accounts[user] = line

    def fault_of(self, letter: str, ending: str) -> LineRefusedError | None:
        """Find why a line that ended like this was refused."""
        match letter:
            case "F":
                return self._like_f.fault(ending)
            case "C":
                return self._like_c.fault(ending)
            case _:
                return self._like_n.fault(ending)

    def read_cccam_upstream(self, value: Token, notes: LineNotes) -> None:
        """Read a C-line.

        Raises:
            LineRefusedError: there is no upstream.
        """
        line = read_c_line(value, notes, self._codec, self._like_c)
        _keep_first(self._c_lines, line, value.column, notes)

    def read_newcamd_upstream(self, value: Token, notes: LineNotes) -> None:
        """Read an N-line.

        Raises:
            LineRefusedError: there is no upstream.
        """
        line = read_n_line(value, notes, self._codec, self._like_n)
        _keep_first(self._n_lines, line, value.column, notes)

    def note_unsupported(self, letter: str, line: int) -> None:
        """Remember a line of a protocol that is not served."""
        self._unsupported.append(UnsupportedLine(line, letter))

    @property
    def f_lines(self) -> tuple[FLine, ...]:
        """The accounts, in the order of the file."""
        return tuple(self._accounts.values())

    @property
    def c_lines(self) -> tuple[CLine, ...]:
        """The CCcam upstreams, in the order of the file."""
        return tuple(self._c_lines.values())

    @property
    def n_lines(self) -> tuple[NLine, ...]:
        """The newcamd upstreams, in the order of the file."""
        return tuple(self._n_lines.values())

    @property
    def unsupported_lines(self) -> tuple[UnsupportedLine, ...]:
        """The lines of other protocols, in the order of the file."""
        return tuple(self._unsupported)


def _note_user_repeated(first: FLine, column: int, notes: LineNotes) -> None:
    text = f"the user is defined in line {first.line}, which counts"
    notes.add(Code.USER_REPEATED, column, text, "take this line out or rename")


def _keep_first(
    known: dict[LoginKey, _Upstream],
    line: _Upstream,
    column: int,
    notes: LineNotes,
) -> None:
    first = known.setdefault(line.key, line)
    if first is not line:
        text = f"host, port and user are those of line {first.line}, which counts"
        notes.add(Code.UPSTREAM_REPEATED, column, text, "take this line out")
