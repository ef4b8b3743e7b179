"""Keeps watching cheap when there is very much to watch.

Each ECM that is looked at costs some microseconds, in history, metrics, journal and the rest:
nothing in a household or a hotel, and a third of the throughput at thousands of ECMs a second.
Beyond `rate` a second, only some subjects (accounts, sources) are looked at, each of them with
all it does, and each happening stands for several.
"""

from dataclasses import dataclass

RATE = 400
"""ECMs a second that are all looked at: of 4,000 clients with crypto periods of ten seconds."""

TURN = 60
"""Seconds after which others are looked at."""


@dataclass(slots=True)
class Sampler:
    """Decides which subjects are looked at; a subject is named by any number, its hash."""

    rate: int = RATE
    every: int = 1
    """One of so many subjects is looked at now: a power of two."""
    _second: int = 0
    _count: int = 0

    def weight(self, subject: int, now: float) -> int:
        """How many happenings this one stands for; 0: it is not looked at."""
        second = int(now)
        if second != self._second:
            self._settle(second)
        self._count += 1
        turn = subject + second // TURN
        return 0 if turn % self.every else self.every

    def _settle(self, second: int) -> None:
        every = 1
        while self._count > self.rate * every:
            every *= 2
        self.every = every
        self._second, self._count = second, 0
