"""An event loop whose time flies: real sockets, and no waiting where nothing happens.

When nothing is to be read or written, and the next timer is due in ten seconds, these ten
seconds are over at once. `time.time` and `time.monotonic` go along, so that everything on this
loop lives in the same time: fifteen minutes of a server take some seconds. Where threads have a
share in what happens, time has to pass as usual: `Clock.usual`.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

STEP: Final = 0.25
"""Virtual seconds that fly at once at most: sockets have their turn in between."""


class Clock:
    """The time of one test."""

    def __init__(self) -> None:
        self.real = time.monotonic
        self.began = time.monotonic()
        self.epoch = time.time()
        self.flown = 0.0
        self.is_usual = True

    @contextmanager
    def usual(self) -> Iterator[None]:
        """Let time pass as it does outside."""
        before, self.is_usual = self.is_usual, True
        try:
            yield
        finally:
            self.is_usual = before

    def fly(self) -> None:
        """Let time fly from now on."""
        self.is_usual = False

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

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        clock = self._clock
        if timeout is None or clock.is_usual:
            before = clock.real()
            ready = super().select(timeout)
            clock.flown += clock.real() - before
            return ready
        ready = super().select(0)
        if not ready:
            clock.flown += min(timeout, STEP)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's own, with another clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(_Selector(clock))
        self._virtual = clock

    def time(self) -> float:
        return self._virtual.now()


def live_through(
    test: Callable[[Clock], Coroutine[None, None, None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run something in a time of its own, which passes as usual at first."""
    clock = Clock()
    loop = VirtualLoop(clock)
    monkeypatch.setattr(time, "time", clock.wall)
    monkeypatch.setattr(time, "monotonic", clock.now)
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(test(clock))
    finally:
        monkeypatch.undo()
