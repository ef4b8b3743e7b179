"""When an account gets control words (docs/config.md section 3.1, group3)."""

from collections.abc import Iterable

from cccamd.setup.cccamcfg import TimeFrame


def is_open(timeframes: Iterable[TimeFrame], minute: int) -> bool:
    """Whether `minute` (local time, 0..1439 since midnight) is inside; no frames: always."""
    frames = tuple(timeframes)
    return not frames or any(_inside(frame, minute) for frame in frames)


def _inside(frame: TimeFrame, minute: int) -> bool:
    if frame.begin <= frame.end:
        return frame.begin <= minute < frame.end
    return minute >= frame.begin or minute < frame.end
