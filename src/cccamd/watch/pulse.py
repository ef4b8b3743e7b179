"""Whether our own loop stands still: a beat that comes late says for how long.

Theory of operation. A timer beats at a steady pace. When something holds the loop, the next beat
comes late: the loop stood still since some moment between the last beat and that which was due, so
a pause is known to within half a beat. What the thread of the loop used of the processor
meanwhile tells work of ours from waiting: for a disk, for another thread, or for a machine that is
busy with others. A machine that was suspended is no pause of ours: its clocks tell.

All times are those of the caller's clock that nobody sets, but for `Pause.at`.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

SUSPENDED: Final = 1.0
"""Seconds by which the clock that runs on while the machine sleeps gets ahead of the other one."""
PAUSES_KEPT: Final = 64
OWN_WORK: Final = 0.5
"""The share of a pause in which the loop's thread used the processor, from which on it is work."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The loop stood still once."""

    at: float
    """When it went on, in seconds since the epoch."""
    seconds: float
    used: float
    """Seconds of the processor that its thread used meanwhile."""
    doing: tuple[str, ...] = ()
    """What it was seen in, in our words: functions, the innermost first."""

    @property
    def is_work(self) -> bool:
        """Whether it was work of ours; else the loop waited for something outside."""
        return self.used >= OWN_WORK * self.seconds


class Pulse:
    """Fed with beats; bounded."""

    def __init__(self, every: float, noticed: float) -> None:
        """A beat is due `every` so many seconds; a pause of `noticed` seconds is told of."""
        self._every, self._noticed = every, noticed
        self.count = 0
        """Pauses since the start."""
        self.longest = 0.0
        """Seconds."""
        self.total = 0.0
        self._pauses: deque[Pause] = deque(maxlen=PAUSES_KEPT)
        self._beat_at: float | None = None
        self._used = 0.0
        self._asleep = 0.0

    def go(self, every: float, noticed: float) -> None:
        """Go on at another pace."""
        self._every, self._noticed = every, noticed
        self._beat_at = None

    def is_late(self, now: float) -> bool:
        """Whether the loop stands still, or did until a moment ago, for longer than is usual."""
        return self._standing(now) >= self._noticed

    def _standing(self, now: float) -> float:
        return 0.0 if self._beat_at is None else now - self._beat_at - self._every / 2

    def beat(
        self, now: float, *, wall: float, used: float, asleep: float, doing: tuple[str, ...] = ()
    ) -> Pause | None:
        """A beat has come. `used`: seconds of the processor that the loop's thread ever used;
        `asleep`: seconds that this machine ever was suspended; `doing` as in `Pause`."""
        still, self._beat_at = self._standing(now), now
        worked, self._used = used - self._used, used
        slept, self._asleep = asleep - self._asleep, asleep
        if still < self._noticed or slept >= SUSPENDED:
            return None
        pause = Pause(wall, still, worked, doing)
        self.count += 1
        self.longest = max(self.longest, still)
        self.total += still
        self._pauses.append(pause)
        return pause

    def lately(self, now: float, seconds: float) -> tuple[Pause, ...]:
        """The pauses of the last seconds (by the wall clock), the newest last."""
        return tuple(pause for pause in self._pauses if 0 <= now - pause.at <= seconds)
