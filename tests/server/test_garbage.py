"""What ends is freed at once: nothing of ours waits for Python to look for it."""

import asyncio
import gc
import os
from collections import Counter

from laboratory import Laboratory, ask, cards_of, running

from cccamd.net import ConnectError
from cccamd.server.garbage import LEAST_GROWTH, is_due


async def live(lab: Laboratory) -> None:
    """What clients do all day."""
    async with lab.client() as client:
        await cards_of(client)
        for _ in range(5):
            await ask(client, b"\x80" + os.urandom(60))
        try:
            async with lab.client(password="wrong"):
                raise AssertionError
        except ConnectError:
            pass
    await asyncio.sleep(0.02)


async def test_logins_requests_and_refusals_leave_no_circle() -> None:
    async with running() as lab:
        await live(lab)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(3):
                await live(lab)
            gc.collect()
            left = Counter(type(found).__qualname__ for found in gc.garbage if _is_ours(found))
            transports = [found for found in gc.garbage if isinstance(found, asyncio.Transport)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert not left
    assert not transports


def _is_ours(found: object) -> bool:
    return type(found).__module__.startswith("cccamd.")


def test_everything_is_looked_at_only_when_memory_has_grown_much() -> None:
    small, large = 50_000_000, 1_000_000_000
    assert not is_due(small + LEAST_GROWTH - 1, small)
    assert is_due(small + LEAST_GROWTH, small)
    assert not is_due(large + LEAST_GROWTH, large)
    assert is_due(large + large // 2, large)
