"""Keeps one noisy cause from filling the log: the first few are told, the rest counted."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

KEYS_LIMIT = 4096
"""How many causes are told apart; all beyond that share one window."""


@dataclass(slots=True)
class _Window:
    ends_at: float
    told: int = 0
    swallowed: int = 0


class Throttle(Generic[K]):
    """For each key, tells the first `burst` in every `window` seconds."""

    def __init__(self, *, others: K, burst: int = 5, window: float = 60.0) -> None:
        """`others` is the key under which causes beyond the limit are counted."""
        self._others = others
        self._burst = burst
        self._window = window
        self._windows: dict[K, _Window] = {}

    def admits(self, key: K, now: float) -> bool:
        """Whether this one is to be told; if not, it is counted."""
        if key not in self._windows and len(self._windows) >= KEYS_LIMIT:
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
