"""Tells clients of cards that came, changed or went: gathered, and one client after the other."""

import asyncio
from collections.abc import Callable, Generator, Iterable
from typing import Final

from cccamd.net import TaskSet, in_slices

REFRESH_DELAY: Final = 0.1
"""Seconds that card changes are gathered before clients are told of them."""


class CardNews:
    """Whether there is news of cards, and the round in which clients are told of it."""

    def __init__(
        self,
        tasks: TaskSet,
        *,
        tell: Callable[[], Iterable[Generator[None, None, None]]],
        before: Callable[[], None],
    ) -> None:
        """`tell` gives one walk for each client, `before` is called as a round begins."""
        self._loop = asyncio.get_running_loop()
        self._tasks = tasks
        self._tell = tell
        self._before = before
        self._timer: asyncio.TimerHandle | None = None
        self._round: asyncio.Task[None] | None = None

    def changed(self) -> None:
        """There is news."""
        if self._timer is None:
            self._timer = self._loop.call_later(REFRESH_DELAY, self.begin)

    def begin(self) -> None:
        """Tell what has changed, unless that goes on: then afterwards."""
        self._timer = None
        if self._round is not None and not self._round.done():
            self.changed()
            return
        self._before()
        self._round = self._tasks.start("card lists", in_slices(self._in_turn()))

    def _in_turn(self) -> Generator[None, None, None]:
        """Many clients times many cards is much to look at: ECMs go in between."""
        for walk in self._tell():
            yield from walk
            yield

    def close(self) -> None:
        """Nobody looks at the cards any more."""
        if self._timer is not None:
            self._timer.cancel()  # and stays: nothing begins again
