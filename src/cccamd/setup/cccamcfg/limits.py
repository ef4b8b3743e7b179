"""The entries of brace groups: limits, services, time frames (sections 3.1 and 3.2)."""

import re

from cccamd.cards import Limit
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
from cccamd.setup.cccamcfg.diagnostics import Code, LineNotes, LineRefusedError
from cccamd.setup.cccamcfg.lexer import Token
from cccamd.setup.cccamcfg.model import (
    TimeFrame,
)
from cccamd.setup.cccamcfg.quoting import quoted_entry
from cccamd.values import Service

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
