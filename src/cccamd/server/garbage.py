"""When Python looks for objects that hold each other and nothing else.

Theory of operation. Nearly everything here is freed the moment that nobody holds it any more. What
is left to the collector are circles, and the server makes none in what it does all day: a request,
a login that ends and a reload leave nothing to it (tests/server/test_garbage.py). Still it would
look for them: with ten thousand clients there are some million objects, and one look at all of
them (generation 2) stops every answer for hundreds of milliseconds, again and again.

Circles come from libraries.

So the young ones are looked at in small portions, as always, twice, and what is there after the
start stays (modules, mostly) and is never looked at again. What was looked at twice is put aside at
once, as all of it was found to be in use a moment ago: a thousand logins a second would cost a
third of a second at the end, and one more look at some thousand that lie scattered among the
objects of ten thousand clients costs milliseconds. What was put aside is looked at when there is
more of it by half, once an hour at most. What counts is how many pieces
of memory are in use, not how much the process holds: it hardly ever gives any back, so that each
look would be put off until half as much again was held, for ever. Pieces know nothing of large
ones, so what the process holds counts besides.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

from cccamd.machine import own_memory

YOUNG: Final = 500
"""New objects after which the new ones are looked at: less than a tenth of a millisecond."""
MIDDLE: Final = 1
"""After so many looks at the new ones, the next is one at those, too, that came through the looks
before: some tenths of a millisecond, or a whole one when thousands of clients are there."""
NEVER: Final = 1_000_000_000
LOOK_INTERVAL: Final = 60.0
"""Seconds."""
GROWTH: Final = 1.5
LEAST_GROWTH: Final = 64 * 1024 * 1024
"""Memory (bytes) that must have grown by both since the last look at everything."""
FEW: Final = 40_000
"""Pieces of memory since the start that are looked through within a slice (5 ms)."""
SOME: Final = 2_000
"""More pieces than at the last look: fewer are not worth another."""
MANY: Final = 500_000
"""More pieces (some 50 MB) than at the last look, and half as many again, are worth a pause."""
ASIDE_INTERVAL: Final = 3600.0
"""Seconds between two looks at what was put aside: with ten thousand clients, a pause of half a
second each."""
QUIET_WAIT: Final = 0.02
QUIET_TRIES: Final = 500
"""How often, and after how many seconds each, a moment is looked for in which nobody waits."""


def begin() -> None:
    """Keep what is there as it is, and leave the old ones alone from now on.

    What the command line has put aside comes back first: some of it is garbage of its making.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, NEVER)


@dataclass(frozen=True, slots=True)
class Held:
    """What the process holds at one moment."""

    resident: int
    """Bytes."""
    pieces: int
    """Pieces of memory in use, made since the start."""


def is_due(now: Held, last: Held) -> bool:
    """Whether everything is to be looked at; `last` is what was left by the last look."""
    more = now.pieces - last.pieces
    if now.pieces <= FEW:
        return more >= SOME
    if more >= MANY and now.pieces >= last.pieces * GROWTH:
        return True
    grown = now.resident - last.resident
    return grown >= LEAST_GROWTH and now.resident >= last.resident * GROWTH


class Sweeper:
    """Looks at everything, when that is due."""

    def __init__(self, is_quiet: Callable[[], bool]) -> None:
        """Right after `begin`. `is_quiet`: whether nobody waits for an answer at this moment."""
        self._is_quiet = is_quiet
        self._aside_since: float | None = None
        """Since when there is something aside that was not looked at; None: nothing is."""
        self._kept = sys.getallocatedblocks()
        self.last = self._looked = self.held()

    async def run(self) -> None:
        """Look at memory again and again, until cancelled."""
        gc.callbacks.append(self._looked_at_young)
        try:
            while True:
                await asyncio.sleep(LOOK_INTERVAL)
                held = self.held()
                if self._may_look() and is_due(held, self.last):
                    await self.sweep()
                elif held.pieces - self._looked.pieces >= SOME:
                    await self.look()
        finally:
            gc.callbacks.remove(self._looked_at_young)

    def _may_look(self) -> bool:
        return self._aside_since is None or monotonic() - self._aside_since >= ASIDE_INTERVAL

    def _looked_at_young(self, phase: str, info: Mapping[str, int]) -> None:
        """Put aside what was just found to be in use, whichever thread has looked."""
        if phase == "stop" and info["generation"] == 1:
            if self._aside_since is None:
                self._aside_since = monotonic()
            gc.freeze()

    async def look(self) -> None:
        """Look at what was not put aside yet: all that was looked at once at most."""
        await self._quiet()
        gc.collect()
        self._looked = self.held()

    async def _quiet(self) -> None:
        """Wait until nobody waits for an answer, or for long."""
        for _ in range(QUIET_TRIES):
            if self._is_quiet():
                break
            await asyncio.sleep(QUIET_WAIT)

    async def sweep(self) -> None:
        """Look at everything as soon as nobody waits, or at last anyway."""
        await self._quiet()
        if self._aside_since is None:
            gc.collect()
        else:
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._aside_since = monotonic()
        self.last = self._looked = self.held()

    def held(self) -> Held:
        """What the process holds now."""
        return Held(own_memory(), sys.getallocatedblocks() - self._kept)
