"""The shape of what follows the credentials: values, brace groups, tail (section 3.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cccamd.setup.cccamcfg.diagnostics import Code, LineNotes, LineRefusedError
from cccamd.setup.cccamcfg.lexer import Token


@dataclass(slots=True)
class Group:
    """The elements between `{` and `}`, without the commas."""

    opening: Token
    elements: list[Token] = field(default_factory=list)


@dataclass(slots=True)
class Shape:
    """The plain tokens before, the groups, and the plain tokens behind the last group."""

    values: list[Token] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    tail: list[Token] = field(default_factory=list)
    fault: LineRefusedError | None = None
    """Set if the braces do not match; the rest is then as far as it was read."""


def read_shape(symbols: Iterable[Token], notes: LineNotes) -> Shape:
    """Sort the tokens; commas and round brackets are dropped with a warning where stray."""
    reader = _ShapeReader(notes)
    try:
        for token in symbols:
            reader.take(token)
        reader.finish()
    except LineRefusedError as error:
        reader.shape.fault = error
    return reader.shape


class _ShapeReader:
    def __init__(self, notes: LineNotes) -> None:
        self.shape = Shape()
        self._notes = notes
        self._open: Group | None = None
        self._after_element = False
        """Inside a group: an element was read and no comma since."""

    def take(self, token: Token) -> None:
        match token.text:
            case "(" | ")":
                self._drop_bracket(token)
            case "{":
                self._begin_group(token)
            case "}":
                self._end_group(token)
            case ",":
                self._take_comma(token)
            case _:
                self._take_word(token)

    def finish(self) -> None:
        if self._open is not None:
            raise _braces(self._open.opening, "this { has no }", "close the group with }")

    def _drop_bracket(self, token: Token) -> None:
        text = "round brackets are ignored: in the manual they mean 'optional'"
        self._notes.add(Code.ROUND_BRACKETS, token.column, text, "leave them out")

    def _begin_group(self, token: Token) -> None:
        if self._open is not None:
            raise _braces(token, "a { inside a group", "close the group before with }")
        if self.shape.tail:
            stray = self.shape.tail[0]
            raise _braces(stray, "a word between two groups", "close it in or take it out")
        self._open = Group(token)
        self._after_element = False

    def _end_group(self, token: Token) -> None:
        if self._open is None:
            raise _braces(token, "a } without its {", "open the group with {")
        if self._open.elements and not self._after_element:
            self._warn_comma(token, "a comma behind the last entry")
        self.shape.groups.append(self._open)
        self._open = None

    def _take_comma(self, token: Token) -> None:
        if self._open is None:
            self._warn_comma(token, "a comma outside of braces")
        elif not self._after_element:
            self._warn_comma(token, "a comma without an entry before it")
        self._after_element = False

    def _take_word(self, token: Token) -> None:
        if self._open is None:
            (self.shape.tail if self.shape.groups else self.shape.values).append(token)
            return
        if self._after_element:
            self._warn_comma(token, "no comma before this entry")
        self._open.elements.append(token)
        self._after_element = True

    def _warn_comma(self, token: Token, what: str) -> None:
        instead = "put one comma between two entries and none elsewhere"
        self._notes.add(Code.COMMA, token.column, what, instead)


def _braces(token: Token, text: str, instead: str) -> LineRefusedError:
    return LineRefusedError(Code.BRACES, token.column, f"the braces do not match: {text}", instead)


def refuse_surplus_groups(shape: Shape, *, allowed: int) -> None:
    """Check the number of groups.

    Raises:
        LineRefusedError: there are more than `allowed`.
    """
    if len(shape.groups) > allowed:
        column = shape.groups[allowed].opening.column
        text = f"{len(shape.groups)} groups, but this line has room for {allowed}"
        raise LineRefusedError(Code.TOO_MANY_GROUPS, column, text, "join or remove groups")
