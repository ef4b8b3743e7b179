"""How much somebody may ask: token buckets, which know no clock and no connection."""

from typing import Final, NamedTuple

BURST: Final = 2.0
"""Seconds' worth that may be asked at once by who was quiet before."""
TOLD_MOST: Final = 10.0
"""Seconds' worth that another node of a fleet can have had spent between two times that it told of
it: what it says beyond that goes by other limits than ours, or is wrong."""


class Rates(NamedTuple):
    """How much may come in a second, in the long run."""

    messages: float
    ecms: float
    size: float
    """Bytes."""


NO_RATES: Final = Rates(float("inf"), float("inf"), float("inf"))


class Quota:
    """Three token buckets, for messages, ECMs and bytes. What was spent is told afterwards, so
    that a bucket may be overdrawn; then nothing more should be taken until it is level."""

    __slots__ = ("__weakref__", "_at", "_left", "_rates", "asked")

    def __init__(self, rates: Rates, now: float) -> None:
        """Full buckets: `BURST` seconds' worth of each."""
        self._rates = rates
        self._at = now
        self._left = [rate * BURST for rate in rates]
        self.asked = 0
        """How many messages there were altogether."""

    def spend(self, spent: Rates, rates: Rates, now: float) -> float:
        """Note what came. Return in how many seconds more may be taken; 0: now."""
        passed, self._at = now - self._at, now
        self.asked += int(spent.messages)
        wait = 0.0
        for number, (rate, amount) in enumerate(zip(rates, spent, strict=True)):
            if rate == float("inf"):
                continue
            left = min(rate * BURST, self._left[number] + rate * passed) - amount
            self._left[number] = left
            wait = max(wait, -left / rate)
        self._rates = rates
        return wait

    def deduct(self, spent: Rates, rates: Rates, now: float) -> None:
        """Note what was spent at another node, which may have been full when it was: of that no
        more counts than `TOLD_MOST` seconds' worth."""
        most = (min(amount, rate * TOLD_MOST) for rate, amount in zip(rates, spent, strict=True))
        asked = self.asked
        self.spend(Rates(*most), rates, now)
        self.asked = asked

    def is_full(self, now: float) -> bool:
        """Whether it is as if nothing had been spent lately."""
        passed = now - self._at
        return all(
            left + rate * passed >= rate * BURST or rate == float("inf")
            for left, rate in zip(self._left, self._rates, strict=True)
        )

    @property
    def is_calm(self) -> bool:
        """Whether half of each bucket, at least, was left when something came last."""
        return all(
            left >= rate * BURST / 2 or rate == float("inf")
            for left, rate in zip(self._left, self._rates, strict=True)
        )
