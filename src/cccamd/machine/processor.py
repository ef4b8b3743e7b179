"""How long a thread waited for a processor: time that the machine cost it, and not its work."""

import time
from pathlib import Path
from typing import Final

FRESH: Final = 0.1
"""Seconds for which it need not be asked again how long was waited until now."""
_OF_THREAD: Final = Path("/proc/thread-self/schedstat")


def waited_for_processor() -> float:
    """Seconds that this thread ever was ready to run, and others ran; 0 where nobody tells."""
    try:
        _, waited, _ = _OF_THREAD.read_text().split()
    except (OSError, ValueError):
        return 0.0
    return int(waited) / 1e9


class HoldTimer:
    """Measures how long something held a thread, less what the thread waited for a processor."""

    __slots__ = ("_looked_at", "_slow", "_waited")

    def __init__(self, slow: float) -> None:
        """`slow`: seconds; what is shorter is not looked at closely, as that takes time."""
        self._slow = slow
        self._looked_at = self._waited = 0.0

    def begin(self) -> float:
        """Something begins; `held` wants to be told when."""
        now = time.perf_counter()
        if now - self._looked_at > FRESH:
            self._looked_at, self._waited = now, waited_for_processor()
        return now

    def held(self, began: float) -> float:
        """Seconds since then that the machine did not take."""
        seconds = time.perf_counter() - began
        if seconds <= self._slow:
            return seconds
        return max(0.0, seconds - (waited_for_processor() - self._waited))
