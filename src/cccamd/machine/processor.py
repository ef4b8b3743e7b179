"""How long a thread waited for a processor: time that the machine cost it, and not its work."""

import os
import time
from typing import Final

FRESH: Final = 0.1
"""Seconds for which it need not be asked again how long was waited until now."""
_OF_THREAD: Final = "/proc/thread-self/schedstat"
_LONGEST: Final = 100
"""Bytes of three numbers."""


def waited_for_processor() -> float:
    """Seconds that this thread ever was ready to run, and others ran; 0 where nobody tells.

    Answers wait for it, so it is read without Python's files, which take four times as long.
    """
    try:
        file = os.open(_OF_THREAD, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _, waited, _ = os.read(file, _LONGEST).split()
        finally:
            os.close(file)
        return int(waited) / 1e9
    except (OSError, ValueError):
        return 0.0


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
