"""When Python looks for objects that hold each other and nothing else.

Theory of operation. Nearly everything here is freed the moment that nobody holds it any more. What
is left to the collector are circles, and the server makes none in what it does all day: a request,
a login that ends and a reload leave nothing to it (tests/server/test_garbage.py). Still it would
look for them: with ten thousand clients there are some million objects, and one look at all of
them (generation 2) stops every answer for hundreds of milliseconds, again and again.

So the young ones are looked at in small portions, as always. All of them are looked at once after
the start, and then only when memory has grown by so much that something may be wrong: a circle that
was overlooked costs a pause every now and then, and not the machine. What is there after the start
stays (modules, mostly) and is never looked at again.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Final

from cccamd.machine import own_memory

YOUNG: Final = 1000
"""New objects after which the new ones are looked at: a tenth of a millisecond."""
MIDDLE: Final = 4
"""Looks at the new ones of which one is a look at those, too, that came through the looks before:
a millisecond."""
NEVER: Final = 1_000_000_000
LOOK_INTERVAL: Final = 60.0
"""Seconds."""
GROWTH: Final = 1.5
LEAST_GROWTH: Final = 64 * 1024 * 1024
"""Memory (bytes) that must have grown by both since the last look at everything."""
QUIET_WAIT: Final = 0.02
QUIET_TRIES: Final = 500
"""How often, and after how many seconds each, a moment is looked for in which nobody waits."""


def begin() -> None:
    """Keep what is there as it is, and leave the old ones alone from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, NEVER)


def is_due(resident: int, last: int) -> bool:
    """Whether memory (bytes) has grown so much since the last look that all is to be looked at."""
    return resident >= last + LEAST_GROWTH and resident >= last * GROWTH


class Sweeper:
    """Looks at everything, when that is due."""

    def __init__(self, is_quiet: Callable[[], bool]) -> None:
        """`is_quiet`: whether nobody waits for an answer at this moment."""
        self._is_quiet = is_quiet
        self._resident = own_memory()

    async def run(self) -> None:
        """Look at memory again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            if is_due(own_memory(), self._resident):
                await self.sweep()

    async def sweep(self) -> None:
        """Look at everything as soon as nobody waits, or at last anyway."""
        for _ in range(QUIET_TRIES):
            if self._is_quiet():
                break
            await asyncio.sleep(QUIET_WAIT)
        gc.collect()
        self._resident = own_memory()
