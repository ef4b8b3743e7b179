"""Keeps watching cheap when there is much to watch, and a noisy cause from filling the log.

Each ECM that is looked at costs some microseconds, in history, metrics, journal and the rest:
nothing in a household or a hotel, and a third of the throughput at thousands of ECMs a second.
Beyond `RATE` a second, only some subjects (accounts, sources) are looked at, each of them with
all it does, and each happening stands for several. In the log the first few are told, the rest
counted.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

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


K = TypeVar("K", bound=Hashable)

KEYS_LIMIT = 4096
"""How many causes are told apart; all beyond that share one window. Fewer where strangers have as
many names as they like, as with addresses: each is told `burst` times and summed up once."""


@dataclass(slots=True)
class _Window:
    ends_at: float
    told: int = 0
    swallowed: int = 0


class Throttle(Generic[K]):
    """For each key, tells the first `burst` in every `window` seconds."""

    def __init__(
        self, *, others: K, burst: int = 5, window: float = 60.0, keys: int = KEYS_LIMIT
    ) -> None:
        """`others` is the key under which causes beyond the first `keys` are counted."""
        self._others = others
        self._keys = keys
        self._burst = burst
        self._window = window
        self._windows: dict[K, _Window] = {}

    def admits(self, key: K, now: float) -> bool:
        """Whether this one is to be told; if not, it is counted."""
        if key not in self._windows and len(self._windows) >= self._keys:
            key = self._others
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(now + self._window)
        if window.told < self._burst:
            window.told += 1
            return True
        window.swallowed += 1
        return False

    def ended(self, now: float) -> list[tuple[K, int]]:
        """Close the windows that are over; of each, how many were only counted."""
        over = [key for key, window in self._windows.items() if window.ends_at <= now]
        counts = [(key, self._windows.pop(key).swallowed) for key in over]
        return [(key, count) for key, count in counts if count]
