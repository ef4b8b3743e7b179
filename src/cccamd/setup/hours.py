"""When an account gets control words: hours of the day and of the week, and its last day.

Local time; docs/config.md section 3.1 (group3), docs/cccamd.toml.md.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

ALL_DAYS: Final = "ALL"
WEEK: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
DAYS: Final = (ALL_DAYS, *WEEK)
_MIDNIGHT: Final = 24 * 60
_FRAME: Final = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")


@dataclass(frozen=True, slots=True)
class TimeFrame:
    """`hh:mm-hh:mm` of local time, in minutes since midnight (0..1440).

    A `begin` later than `end` runs over midnight; equal ends are never open.
    """

    begin: int
    end: int

    def __contains__(self, minute: int) -> bool:
        if self.begin <= self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def __str__(self) -> str:
        return f"{clock(self.begin)}-{clock(self.end)}"


def clock(minute: int) -> str:
    """Show a minute of the day: `18:00`."""
    return f"{minute // 60:02}:{minute % 60:02}"


def is_open(timeframes: Iterable[TimeFrame], minute: int) -> bool:
    """Whether `minute` (local time, 0..1439 since midnight) is inside; no frames: always."""
    frames = tuple(timeframes)
    return not frames or any(minute in frame for frame in frames)


def read_frame(text: str) -> TimeFrame | None:
    """Read `hh:mm-hh:mm`; None: it is none."""
    found = _FRAME.fullmatch(text)
    if found is None:
        return None
    begin_hour, begin, end_hour, end = map(int, found.groups())
    frame = TimeFrame(60 * begin_hour + begin, 60 * end_hour + end)
    fits = max(begin, end) < 60 and max(frame.begin, frame.end) <= _MIDNIGHT
    return frame if fits else None


@dataclass(frozen=True, slots=True)
class Week:
    """Hours by day; a day that is not named has those of ALL, and without them none."""

    days: tuple[tuple[str, tuple[TimeFrame, ...]], ...] = ()
    """None at all: always."""

    def __bool__(self) -> bool:
        return bool(self.days)

    def is_open(self, moment: datetime) -> bool:
        """Whether a moment of local time is inside.

        Hours over midnight belong to the day on which they begin, and go on in the next.
        """
        if not self.days:
            return True
        day, minute = moment.weekday(), 60 * moment.hour + moment.minute
        today = any(
            frame.begin <= minute and (minute < frame.end or frame.begin > frame.end)
            for frame in self.of(day)
        )
        return today or any(frame.begin > frame.end > minute for frame in self.of(day - 1))

    def of(self, day: int) -> tuple[TimeFrame, ...]:
        """The hours that begin on a day, Monday being 0."""
        days = dict(self.days)
        return days.get(WEEK[day % 7], days.get(ALL_DAYS, ()))

    def __str__(self) -> str:
        return "; ".join(f"{day} {', '.join(map(str, frames))}" for day, frames in self.days)


ALWAYS: Final = Week()
