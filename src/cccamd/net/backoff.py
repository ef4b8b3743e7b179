"""How long to wait before the next attempt: growing, and never in step with others."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Delays that double from `first` to `most` seconds, each shortened by up to a half.

    Servers that come back after a power cut are not met by all their clients at once.
    """

    first: float = 1.0
    most: float = 60.0
    failures: int = 0

    def next_delay(self, random: Callable[[], float]) -> float:
        """Seconds to wait after one more failure; `random` gives numbers from 0 to 1."""
        longest = min(self.most, self.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return longest * (1.0 - 0.5 * random())

    def reset(self) -> None:
        """Begin anew after an attempt that succeeded for a while."""
        self.failures = 0
