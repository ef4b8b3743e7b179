"""Whether a receiver hangs on a cable or on radio: an honest guess from its round trips."""

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Final

SAMPLES_KEPT: Final = 64
SAMPLES_NEEDED: Final = 8
STEADY, UNSTEADY = 0.001, 0.003
"""Seconds of jitter. A cable in the house stays far below the one, radio seldom does; between
both, nobody can tell."""
FAR: Final = 0.015
"""Seconds of round trip beyond which the way is longer than a house, and its jitter says
nothing about the last few metres."""


@dataclass(slots=True)
class RoundTrips:
    """The last round trips of one client, and how much they differ."""

    _samples: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))

    def add(self, seconds: float, jitter: float) -> None:
        """Note one measurement."""
        self._samples.append((seconds, jitter))

    @property
    def guess(self) -> str:
        """What the link probably is, in words; empty as long as there is too little to say."""
        if len(self._samples) < SAMPLES_NEEDED:
            return ""
        usual = median(seconds for seconds, _ in self._samples)
        jitter = median(jitter for _, jitter in self._samples)
        numbers = f"round trip {1000 * usual:.1f} ms, jitter {1000 * jitter:.1f} ms"
        if usual > FAR:
            return f"not in this house: {numbers}"
        if jitter < STEADY:
            return f"probably wired: {numbers}"
        if jitter > UNSTEADY:
            return f"probably wireless: {numbers}"
        return f"wired or wireless, hard to tell: {numbers}"
