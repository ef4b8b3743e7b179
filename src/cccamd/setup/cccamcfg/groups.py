"""Brace groups behind the fields: their shape, and their entries (sections 3.1 and 3.2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cccamd.cards import Limit
from cccamd.errors import bare
from cccamd.ids import (
    CAID_DIGITS,
    IDENT_DIGITS,
    SID_DIGITS,
    Caid,
    Ident,
    Sid,
    bare_decimal,
    bare_hex,
)
from cccamd.setup.cccamcfg.diagnostics import Code, LineNotes, LineRefusedError, quoted_entry
from cccamd.setup.cccamcfg.lexer import Token
from cccamd.setup.hours import TimeFrame
from cccamd.values import Service


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


def read_shape(symbols: Sequence[Token], notes: LineNotes) -> Shape:
    """Sort the tokens; commas and round brackets are dropped with a warning where stray."""
    if not symbols:  # as in most lines of long files
        return Shape()
    reader = _ShapeReader(notes)
    try:
        for token in symbols:
            reader.take(token)
        reader.finish()
    except LineRefusedError as error:
        reader.shape.fault = bare(error)
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


MANY_HOPS = 10
"""More hops than this work, but are worth a warning (W123)."""

_FRAME_LIKE = re.compile(r"[0-9]+:[0-9]+-[0-9]+:[0-9]+")
_FRAME = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")
_TIME = re.compile(r"[0-9]{1,2}:[0-9]{2}")
_MINUTES_OF_A_DAY = 24 * 60


def read_limit(entry: Token, notes: LineNotes) -> Limit:
    """Read `caid:ident[:number]`, or a CAID alone with a warning.

    Raises:
        LineRefusedError: the entry has another shape, or belongs into another group.
    """
    _refuse_frame(entry)
    caid_alone = bare_hex(entry.text, CAID_DIGITS)
    if caid_alone is not None and len(entry.text) >= 3:
        return _limit_of_a_caid(Caid(caid_alone), entry, notes)
    caid, ident, number = _three_parts(entry, Code.BAD_LIMIT, "caid:ident or caid:ident:hops")
    if number is None:
        return Limit(caid, ident, 0)
    return Limit(caid, ident, _read_hops(entry, number, notes))


def _limit_of_a_caid(caid: Caid, entry: Token, notes: LineNotes) -> Limit:
    text = f"{quoted_entry(entry.text)} has no ident: taken for all idents of this CAID, 0 hops"
    notes.add(Code.LIMIT_WITHOUT_IDENT, entry.column, text, f"write {entry.text}:0:0")
    return Limit(caid, Ident(0), 0)


def _read_hops(entry: Token, number: str, notes: LineNotes) -> int:
    hops = bare_decimal(number, 0, 255)
    if hops is None and bare_hex(number, len(number)) is None:
        raise _bad_entry(entry, Code.BAD_LIMIT, "caid:ident or caid:ident:hops")
    if hops is None:
        text = f"{quoted_entry(entry.text)} does not end in a number of hops (0-255)"
        instead = "services go into the second group of an F-line"
        raise LineRefusedError(Code.WRONG_GROUP, entry.column, text, instead)
    warn_many_hops(hops, entry, notes)
    return hops


def warn_many_hops(hops: int, token: Token, notes: LineNotes) -> None:
    """Add W123 if the number is unusually great."""
    if hops > MANY_HOPS:
        text = f"{hops} hops are more than any network of shares has"
        notes.add(Code.MANY_HOPS, token.column, text, "a number up to 10 is usual")


def read_service(entry: Token, _: LineNotes) -> Service:
    """Read `caid:ident:sid`.

    Raises:
        LineRefusedError: the entry has another shape, or belongs into another group.
    """
    _refuse_frame(entry)
    shape = "caid:ident:service"
    caid, ident, last = _three_parts(entry, Code.BAD_SERVICE, shape)
    sid = bare_hex(last or "", SID_DIGITS)
    if sid is None:
        raise _bad_entry(entry, Code.BAD_SERVICE, shape)
    return Service(caid, ident, Sid(sid))


def _three_parts(entry: Token, code: Code, shape: str) -> tuple[Caid, Ident, str | None]:
    """Split into CAID, ident and what follows, which is not looked at."""
    caid_text, _, others = entry.text.partition(":")
    ident_text, second_colon, last = others.partition(":")
    caid = bare_hex(caid_text, CAID_DIGITS)
    ident = bare_hex(ident_text, IDENT_DIGITS)
    if caid is None or ident is None:
        raise _bad_entry(entry, code, shape)
    return Caid(caid), Ident(ident), last if second_colon else None


def _bad_entry(entry: Token, code: Code, shape: str) -> LineRefusedError:
    text = f"{quoted_entry(entry.text)} is no entry of this group"
    return LineRefusedError(code, entry.column, text, f"write {shape}")


def _refuse_frame(entry: Token) -> None:
    if _FRAME_LIKE.fullmatch(entry.text):
        text = f"{quoted_entry(entry.text)} is a time frame in the wrong group"
        instead = "time frames go into the third group of an F-line"
        raise LineRefusedError(Code.WRONG_GROUP, entry.column, text, instead)


def read_frame(entry: Token, notes: LineNotes) -> TimeFrame:
    """Read `hh:mm-hh:mm`.

    Raises:
        LineRefusedError: the entry has another shape, is no time, or belongs into another group.
    """
    found = _FRAME.fullmatch(entry.text)
    if found is None:
        raise _no_frame(entry)
    begin = _minutes(found[1], found[2], entry)
    end = _minutes(found[3], found[4], entry)
    if begin == end:
        text = f"{quoted_entry(entry.text)} has no length: it is never open"
        notes.add(Code.EMPTY_FRAME, entry.column, text, "write 00:00-24:00 for the whole day")
    return TimeFrame(begin, end)


def _minutes(hours: str, minutes: str, entry: Token) -> int:
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > _MINUTES_OF_A_DAY:
        text = f"{quoted_entry(entry.text)} leaves the day, which goes from 00:00 to 24:00"
        raise LineRefusedError(Code.BAD_FRAME, entry.column, text, "write hh:mm-hh:mm")
    return total


def _no_frame(entry: Token) -> LineRefusedError:
    text = f"{quoted_entry(entry.text)} is no time frame"
    if _looks_like_limit(entry.text):
        instead = "limits go into the first group, services into the second"
        return LineRefusedError(Code.WRONG_GROUP, entry.column, text, instead)
    return LineRefusedError(Code.BAD_FRAME, entry.column, text, "write hh:mm-hh:mm")


def _looks_like_limit(text: str) -> bool:
    if _TIME.fullmatch(text):
        return False
    first, *others = (bare_hex(part, IDENT_DIGITS) for part in text.split(":"))
    return first is not None and bool(others) and None not in others
