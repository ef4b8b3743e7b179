"""Who is told what happens: the journal, the history, the metrics.

Theory of operation. What is counted and told for every ECM would hold up its answer: `later`
keeps it until the answers of this turn of the loop are written, and then does it in slices. The
order stays: what is told at once waits as well while something before it does.
"""

import time
from collections.abc import Callable, Collection
from typing import Final

from cccamd.net import Turns
from cccamd.watch import SAMPLING_ROUND, Happening, Sampler

Observer = Callable[[Happening], None]
WAITING_LIMIT: Final = 1_000
"""So many may wait; beyond it each that comes has one that waits done at once: all of them would
be some hundredths of a second."""


class Observers:
    """Passes each happening on to everybody who asked for it; one that fails hurts no other."""

    def __init__(self, *, on_failure: Callable[[str, BaseException], None]) -> None:
        self._on_failure = on_failure
        self._observers: list[Observer] = []
        self._sampler = Sampler()
        self._calls = 0
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
        """Tell all, at once, or right after what waits."""
        if self._turns:
            self.later(self.pass_on, happening)
        else:
            self.pass_on(happening)

    def later(self, act: Callable[..., object], *words: object) -> None:
        """Call `act` with these words as soon as the answers of this turn are written: to count
        what was answered, and to `pass_on` what is told of it."""
        if len(self._turns) >= WAITING_LIMIT:
            self._turns.do_next()
        self._turns.add(self._attempt, act, words)

    def catch_up(self) -> None:
        """Do what waits: who asks what was counted and told wants all of it."""
        self._turns.finish()

    def _attempt(self, act: Callable[..., object], words: tuple[object, ...]) -> None:
        try:
            act(*words)
        except Exception as error:  # the others are to be counted
            self._on_failure("counting what was answered", error)

    def pass_on(self, happening: Happening) -> None:
        """Tell all what comes next of what was left for `later`."""
        for observer in self._observers:
            try:
                observer(happening)
            except Exception as error:
                self._on_failure("an observer", error)

    @staticmethod
    def now() -> float:
        """The wall clock's time that happenings carry."""
        return time.time()
