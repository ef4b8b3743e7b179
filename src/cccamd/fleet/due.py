"""What is to be looked at, by when: each at one time, which may change until it has come."""

from heapq import heappop, heappush
from typing import Generic, Protocol, TypeVar


class _Dated(Protocol):
    due_at: float | None
    """When it is to be looked at; None: not before something else happens."""


T = TypeVar("T", bound=_Dated)


class DueQueue(Generic[T]):
    """Times are seconds, monotonic. Whose `due_at` has changed since is skipped where it stood."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0

    def set(self, subject: T, at: float) -> None:
        """Let it be due at a time, and at no other."""
        subject.due_at = at
        self._count += 1
        heappush(self._heap, (at, self._count, subject))

    def next_at(self) -> float | None:
        """When the next one is due."""
        heap = self._heap
        while heap and heap[0][2].due_at != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def pop(self, now: float) -> T | None:
        """Take out the next one that is due by now."""
        at = self.next_at()
        if at is None or at > now:
            return None
        subject = heappop(self._heap)[2]
        subject.due_at = None
        return subject
