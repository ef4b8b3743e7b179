"""What is due when."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Protocol

from cccamd.routing.actions import Action


class Subject(Protocol):
    """What a timer is about; once it is done, its timer no longer matters."""

    @property
    def done(self) -> bool: ...


class Timers:
    """A queue of things to do; those whose subject is done are skipped."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[Any, float], list[Action]], Subject]] = []
        self._count = 0

    def set(self, at: float, act: Callable[[Any, float], list[Action]], subject: Subject) -> None:
        """Call `act(subject, now)` when `at` has come."""
        self._count += 1
        heappush(self._heap, (at, self._count, act, subject))

    def next_at(self) -> float | None:
        """When the next one is due."""
        heap = self._heap
        while heap and heap[0][3].done:
            heappop(heap)
        return heap[0][0] if heap else None

    def run(self, now: float) -> list[Action]:
        """Do all that is due by now."""
        actions: list[Action] = []
        while (at := self.next_at()) is not None and at <= now:
            _, _, act, subject = heappop(self._heap)
            actions += act(subject, now)
        return actions
