"""Time what a coroutine does between two waits: that time the whole server stands still."""

from collections.abc import Awaitable, Generator
from time import perf_counter
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class StepTimer(Generic[T]):
    """Await something and remember the longest time, in seconds, that it kept the event loop.

    It hands through every value and exception unchanged, so that cancelling and
    `asyncio.timeout` work as if it weren't there.
    """

    def __init__(self, awaited: Awaitable[T]) -> None:
        self._awaited = awaited
        self.longest = 0.0

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._awaited.__await__()
        value: Any = None
        error: BaseException | None = None
        while True:
            began = perf_counter()
            try:
                waited_for = steps.send(value) if error is None else steps.throw(error)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # StopIteration has no type
            finally:
                self.longest = max(self.longest, perf_counter() - began)
            value, error = None, None
            try:
                value = yield waited_for
            except BaseException as thrown:
                error = thrown
