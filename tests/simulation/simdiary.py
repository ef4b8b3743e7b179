"""What all books of a run have: the trace of its events, and the first thing that was wrong."""

import hashlib
from collections.abc import Callable


class Violation(AssertionError):
    """Something happened that must not."""


class Diary:
    """The trace of a run; two runs with the same one were the same."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.events = 0
        self.first: Violation | None = None
        self.tail: list[str] = []
        self._hash = hashlib.blake2b(digest_size=16)

    def note(self, *words: object) -> None:
        """Add to the trace."""
        self.events += 1
        text = f"{self.now():.9f} {words!r}"
        self._hash.update(text.encode())
        self.tail.append(text)
        if len(self.tail) > 400:
            del self.tail[:200]

    @property
    def trace(self) -> str:
        return self._hash.hexdigest()

    def blame(self, what: str) -> None:
        """Something is wrong; the first counts."""
        if self.first is None:
            self.first = Violation(f"at {self.now() - 1000:.3f} s: {what}")
