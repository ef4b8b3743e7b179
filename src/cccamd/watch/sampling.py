"""Keeps watching cheap when there is very much to watch.

Each ECM that is looked at costs some microseconds, in history, metrics, journal and the rest:
nothing in a household or a hotel, and a third of the throughput at thousands of ECMs a second.
Beyond `RATE` a second, only some subjects (accounts, sources) are looked at, each of them with
all it does, and each happening stands for several.
"""

from dataclasses import dataclass
from typing import Final

RATE: Final = 400
"""ECMs a second that are all looked at: of 4,000 clients with crypto periods of ten seconds."""
TURN: Final = 60
"""Seconds after which others are looked at."""
ROUND: Final = 64
"""How many are counted between two looks at the clock."""


@dataclass(slots=True)
class Sampler:
    """Decides which subjects are looked at; a subject is named by any number.

    After each `ROUND` of calls of `weight` the caller calls `measure`.
    """

    rate: int = RATE
    every: int = 1
    """One of so many subjects is looked at now: a power of two."""
    _turn: int = 0
    _measured_at: float = 0.0

    def weight(self, subject: int) -> int:
        """How many happenings this one stands for; 0: it is not looked at."""
        every = self.every
        return every if every == 1 or not (subject + self._turn) % every else 0

    def measure(self, now: float) -> None:
        """Take note of how long the last round took, and look at more or fewer from now on."""
        seconds = now - self._measured_at
        self._measured_at, self._turn = now, int(now) // TURN
        self.every = 1
        while self.every * self.rate * seconds < ROUND:
            self.every *= 2
            if self.every >= ROUND:
                return
