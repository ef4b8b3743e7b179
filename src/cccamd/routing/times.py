"""How long a source takes to answer: the last answers count, older ones are forgotten."""

from collections import deque

SAMPLES = 32
"""Enough for a 95th percentile, few enough to notice a change within some minutes."""
USUAL_SHARE = 0.95
NEWS_SHARE = 8
"""The percentile is computed again when more than an eighth of the samples is new."""
FORGOTTEN_AFTER = 300.0
"""A source that was slow, and was left alone since, deserves a new try after that long."""


class AnswerTimes:
    """A sliding window of answer times, in seconds.

    A quantile and not a mean: one stall of three seconds says nothing about the next answer,
    but doubles the mean of thirty.
    """

    __slots__ = ("_newest_at", "_news", "_usual", "_window")

    def __init__(self) -> None:
        self._window: deque[float] = deque(maxlen=SAMPLES)
        self._newest_at = 0.0
        self._news = 0
        self._usual = 0.0

    def __len__(self) -> int:
        return len(self._window)

    def add(self, seconds: float, now: float) -> None:
        """Count one answer."""
        if now - self._newest_at > FORGOTTEN_AFTER:
            self._window.clear()
        self._newest_at = now
        self._window.append(seconds)
        self._news += 1

    def usual(self, now: float) -> float | None:
        """The time within which nearly all answers came; None when nothing is known."""
        window = self._window
        if not window or now - self._newest_at > FORGOTTEN_AFTER:
            return None
        if self._news * NEWS_SHARE > len(window):
            self._usual = sorted(window)[int(USUAL_SHARE * len(window))]
            self._news = 0
        return self._usual
