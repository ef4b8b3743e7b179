"""Who is told what happens: the journal, the history, the metrics."""

import logging
import time
from collections.abc import Callable

from cccamd.watch import SAMPLING_ROUND, Happening, Sampler

log = logging.getLogger("cccamd.server")

Observer = Callable[[Happening], None]


class Observers:
    """Passes each happening on to everybody who asked for it; one that fails hurts no other."""

    def __init__(self) -> None:
        self._observers: list[Observer] = []
        self._sampler = Sampler()
        self._calls = 0

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

    def add(self, observer: Observer) -> None:
        """Tell somebody everything from now on."""
        self._observers.append(observer)

    def tell(self, happening: Happening) -> None:
        """Tell all."""
        for observer in self._observers:
            try:
                observer(happening)
            except Exception as error:
                log.error("internal error in an observer: %s: %s", type(error).__name__, error)
                log.debug("it happened here:", exc_info=error)

    @staticmethod
    def now() -> float:
        """The wall clock's time that happenings carry."""
        return time.time()
