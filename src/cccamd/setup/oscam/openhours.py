"""When an account is open by its F-line and by its table together, in OSCam's words.

Both have to let it in here; there, days have hours of their own or those of ALL.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from cccamd.setup.cccamcfg import FLine

_DAYS: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONDAY: Final = datetime(2029, 1, 1)
_MINUTES: Final = 24 * 60
_NOON: Final = 12 * 60


def open_hours(line: FLine) -> list[tuple[str, str]]:
    """The days on which it is open at all, with their frames."""
    always = replace(line, expires=None)
    found = []
    for number, day in enumerate(_DAYS):
        midnight = _MONDAY + timedelta(days=number)
        is_open = [always.is_open(midnight + timedelta(minutes=each)) for each in range(_MINUTES)]
        if frames := ",".join(_frames(is_open)):
            found.append((day, frames))
    return found


def _frames(is_open: list[bool]) -> Iterator[str]:
    for let_in, minutes in groupby(range(_MINUTES), is_open.__getitem__):
        if let_in:
            first, *rest = minutes
            end = first + len(rest) + 1
            if end - first == _MINUTES:  # as one frame its ends were equal, which is never
                yield f"{_clock(first)}-{_clock(_NOON)}"
                first = _NOON
            yield f"{_clock(first)}-{_clock(end)}"


def _clock(minute: int) -> str:
    """The end of a day is the beginning of one: such a frame runs to midnight."""
    return f"{minute // 60 % 24:02}:{minute % 60:02}"
