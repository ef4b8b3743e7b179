"""Who is told what happens: the journal, the history, the metrics."""

import time
from collections.abc import Callable, Container

from cccamd.watch import SAMPLING_ROUND, Happening, Sampler

Observer = Callable[[Happening], None]


class Observers:
    """Passes each happening on to everybody who asked for it; one that fails hurts no other."""

    def __init__(self, *, on_failure: Callable[[str, BaseException], None]) -> None:
        self._on_failure = on_failure
        self._observers: list[Observer] = []
        self._sampler = Sampler()
        self._calls = 0
        self.attended: Container[tuple[str, int]] = ()
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
        return bool(self._observers) and (refused or (account, client) in self.attended)

    def add(self, observer: Observer) -> None:
        """Tell somebody everything from now on."""
        self._observers.append(observer)

    def tell(self, happening: Happening) -> None:
        """Tell all."""
        for observer in self._observers:
            try:
                observer(happening)
            except Exception as error:
                self._on_failure("an observer", error)

    @staticmethod
    def now() -> float:
        """The wall clock's time that happenings carry."""
        return time.time()
