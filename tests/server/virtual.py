"""An event loop whose time flies: real sockets, and no waiting where nothing happens.

When nothing is to be read or written, and the next timer is due in ten seconds, these ten
seconds are over at once. `time.time` and `time.monotonic` go along, so that everything on this
loop lives in the same time: fifteen minutes of a server take some seconds.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Final

import pytest

PATIENCE: Final = 0.0005
"""Real seconds that bytes on the loopback interface get before time flies on."""
STEP: Final = 0.25
"""Virtual seconds that fly at once at most: threads and sockets have their turn in between."""


class Clock:
    """The time of one test."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.epoch = time.time()
        self.flown = 0.0

    def now(self) -> float:
        """What `time.monotonic` would say."""
        return self.began + self.flown

    def wall(self) -> float:
        """What `time.time` would say."""
        return self.epoch + self.flown


class _Selector(selectors.DefaultSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(0.05)
        ready = super().select(min(timeout, PATIENCE))
        if not ready:
            self._clock.flown += min(timeout, STEP)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's own, with another clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(_Selector(clock))
        self._virtual = clock

    def time(self) -> float:
        return self._virtual.now()


def live_through(test: Coroutine[None, None, None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run something in a time of its own."""
    clock = Clock()
    loop = VirtualLoop(clock)
    monkeypatch.setattr(time, "time", clock.wall)
    monkeypatch.setattr(time, "monotonic", clock.now)
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(test)
    finally:
        monkeypatch.undo()
