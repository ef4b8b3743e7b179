"""Reads what `/explain` is asked from the query of its address."""

from collections.abc import Mapping
from typing import Final

from cccamd.errors import CccamdError
from cccamd.ids import Caid, Ident, Sid
from cccamd.why import Question

LENGTH_LIMIT: Final = 256
_DIGITS: Final = {"caid": 4, "ident": 6, "sid": 4}


class QuestionError(CccamdError):
    """A question that cannot be read; the text is for the person who asked it."""


def read_question(query: Mapping[str, str]) -> Question:
    """Read `account`, `source`, and `caid`, `ident`, `sid` or all three as `channel`.

    Raises:
        QuestionError: a number is not hexadecimal, or too long.
    """
    numbers = _numbers(query)
    caid, ident, sid = numbers["caid"], numbers["ident"], numbers["sid"]
    return Question(
        account=query.get("account", "")[:LENGTH_LIMIT] or None,
        source=query.get("source", "")[:LENGTH_LIMIT] or None,
        caid=None if caid is None else Caid(caid),
        ident=None if ident is None else Ident(ident),
        sid=None if sid is None else Sid(sid),
    )


def _numbers(query: Mapping[str, str]) -> dict[str, int | None]:
    parts = {name: query.get(name, "").strip() for name in _DIGITS}
    channel = query.get("channel", "").strip()
    if channel:
        given = channel.split(":")
        if len(given) > len(_DIGITS):
            raise QuestionError(
                "write a channel as CAID:provider:SID, for instance 0B00:030B00:1D80"
            )
        parts |= dict(zip(_DIGITS, given, strict=False))
    return {name: _number(name, text.strip()) for name, text in parts.items()}


def _number(name: str, text: str) -> int | None:
    if not text:
        return None
    digits = _DIGITS[name]
    try:
        number = int(text, 16)
    except ValueError:
        number = -1
    if not 0 <= number < 16**digits or len(text) > digits + 2:
        what = "provider" if name == "ident" else name.upper()
        raise QuestionError(f"a {what} is up to {digits} hex digits")
    return number
