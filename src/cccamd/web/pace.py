"""How often somebody may do something: a few at once, then one now and then. Sans-IO."""

from collections import OrderedDict
from typing import Final

KEYS_LIMIT: Final = 1024
"""How many are told apart; the longest unused is forgotten."""


class Pace:
    """Counts by any name. Times are seconds of any monotonic clock."""

    def __init__(self, *, burst: int, interval: float) -> None:
        """`burst` at once; and one more after each `interval`, in seconds."""
        self._interval = interval
        self._ahead = burst * interval
        self._next: OrderedDict[str, float] = OrderedDict()
        """By name, when all that was done would be done at one for each interval."""

    def wait(self, name: str, now: float) -> float:
        """Seconds until it may be done; 0: now, and it is counted."""
        due = max(self._next.get(name, now), now) + self._interval
        if due - now > self._ahead:
            return due - now - self._ahead
        self._next[name] = due
        self._next.move_to_end(name)
        if len(self._next) > KEYS_LIMIT:
            self._next.popitem(last=False)
        return 0.0
