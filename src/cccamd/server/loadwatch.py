"""Looks every now and then who asks how much."""

from collections.abc import Generator

from cccamd.net import FairPlay
from cccamd.why import Load


class LoadWatch:
    """What was asked between two looks."""

    def __init__(self, fair: FairPlay) -> None:
        self._fair = fair
        self._asked: dict[bytes, int] = {}
        self._shed = 0
        self._at: float | None = None
        self._held_back: dict[str, float] = {}
        """Until when, by user."""
        self._held_back_before: frozenset[str] = frozenset()
        fair.on_held_back = self._held_back.__setitem__

    def looking(self, now: float) -> Generator[None, None, Load]:
        """What there was since the last look, an account a step; `now` on the loop's clock."""
        fair, asked, rates = self._fair, dict[bytes, int](), dict[str, float]()
        passed = max(now - self._at, 0.001) if self._at is not None else float("inf")
        for user, count in tuple(fair.asked()):
            asked[user] = count
            rates[user.decode("utf-8", "replace")] = (count - self._asked.get(user, 0)) / passed
            yield
        # A burst that is held back for a moment is nothing to tell.
        last = self._at or 0.0
        held = frozenset(user for user, until in self._held_back.items() if until >= last)
        held_back = sorted(held & self._held_back_before)
        load = Load(shed=fair.shed - self._shed, rates=rates, held_back=held_back)
        self._asked, self._shed, self._at = asked, fair.shed, now
        self._held_back_before = held
        for each in self._held_back.keys() - held:
            del self._held_back[each]
        return load
