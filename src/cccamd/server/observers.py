"""Who is told what happens: the journal, the history, the metrics.

Theory of operation. What is told for every ECM would hold up its answer: `tell_soon` keeps it
until the answers of this turn of the loop are written, and then tells it in slices. The order
stays: what is told at once waits as well while something before it does.
"""

import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from cccamd.net import Turns
from cccamd.watch import SAMPLING_ROUND, Happening, Sampler

Observer = Callable[[Happening], None]
WAITING_LIMIT: Final = 10_000
"""So many may wait to be told; beyond it each that comes has one that waits told at once."""


class Observers:
    """Passes each happening on to everybody who asked for it; one that fails hurts no other."""

    def __init__(self, *, on_failure: Callable[[str, BaseException], None]) -> None:
        self._on_failure = on_failure
        self._observers: list[Observer] = []
        self._sampler = Sampler()
        self._calls = 0
        self._waiting: deque[Happening] = deque()
        self._turns = Turns()
        self.attended: Collection[tuple[str, int]] = ()
        """Clients in trouble (account, number): what they ask is told, also under great load."""

    def __bool__(self) -> bool:
        """Whether anybody listens: if not, no happening need be made."""
        return bool(self._observers)

    def weight(self, subject: int) -> int:
        """How many ECMs one of this subject stands for now; 0: it need not be told."""
        if not self._observers:
            return 0
        self._calls += 1
        if self._calls == SAMPLING_ROUND:
            self._calls = 0
            self._sampler.measure(time.time())
        return self._sampler.weight(subject)

    def attends(self, account: str, client: int, *, refused: bool) -> bool:
        """Whether an ECM is to be told that counts for nothing (weight 0): trouble is not left
        out under great load, and who is in trouble is followed until it is over."""
        if refused:
            return bool(self._observers)
        return bool(self.attended) and (account, client) in self.attended

    def add(self, observer: Observer) -> None:
        """Tell somebody everything from now on."""
        self._observers.append(observer)

    def tell(self, happening: Happening) -> None:
        """Tell all, at once, or right after what waits to be told."""
        if self._waiting:
            self.tell_soon(happening)
        else:
            self._pass_on(happening)

    def tell_soon(self, happening: Happening) -> None:
        """Tell all, but not before the answers of this turn are written."""
        if len(self._waiting) >= WAITING_LIMIT:
            self._tell_next()  # all of them would be a quarter of a second
        self._waiting.append(happening)
        self._turns.add(self._tell_next)

    def catch_up(self) -> None:
        """Tell what waits to be told: this is the end."""
        while self._waiting:
            self._pass_on(self._waiting.popleft())

    def _tell_next(self) -> None:
        if self._waiting:  # else it was told meanwhile
            self._pass_on(self._waiting.popleft())

    def _pass_on(self, happening: Happening) -> None:
        for observer in self._observers:
            try:
                observer(happening)
            except Exception as error:
                self._on_failure("an observer", error)

    @staticmethod
    def now() -> float:
        """The wall clock's time that happenings carry."""
        return time.time()
