"""Everything at once, from a seed: ten minutes in which ways, clocks and the process itself fail.

By hand for longer: CCCAMD_CHAOS=MINUTES pytest tests/faults/test_all_together.py
"""

import asyncio
import logging
import os
import random
from collections import Counter
from contextlib import suppress

import pytest
from faultscene import BACK_WITHIN, RECEIVER_GIVES_UP, Scene, live
from laboratory import ask, expected_cw
from proxy import Way

from cccamd.net import ConnectError
from cccamd.values import ControlWords

MINUTES = int(os.environ.get("CCCAMD_CHAOS", "10"))


def harm(scene: Scene, chance: random.Random) -> None:
    """One more fault, or the end of one."""
    proxy = chance.choice((scene.upper, scene.door))
    match chance.randrange(7):
        case 0:
            proxy.reset()
        case 1:
            proxy.way = Way(silent_after=chance.randrange(400))
            proxy.reset()
        case 2:
            proxy.way = Way(dead=True)
        case 3:
            proxy.way = Way(delay=chance.uniform(0, 1), loss=0.2, piece=chance.randrange(1, 50))
        case 4:
            scene.clock.epoch += chance.uniform(-1e6, 1e6)
        case 5:
            scene.clock.flown += chance.uniform(1, 100)
        case 6:
            scene.upper.way = scene.door.way = Way()


async def watch(scene: Scene, seen: Counter[str]) -> None:
    """A receiver, for ever: it never sees a wrong CW, and is answered or cut off in time."""
    number = 0
    while True:
        with suppress(ConnectError, ConnectionError, TimeoutError):
            async with scene.client() as client:
                while client.closed is None:
                    number += 1
                    ecm = b"\x80chaos%d" % number
                    answer = await ask(client, ecm)
                    right = answer == expected_cw(ecm)
                    assert right or not isinstance(answer, ControlWords), "a wrong CW"
                    seen["right" if right else "refused"] += 1
                    await asyncio.sleep(1.0)
        seen["came again"] += 1
        await asyncio.sleep(1.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_everything_at_once_and_all_is_well_afterwards(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    caplog.set_level(logging.WARNING, "cccamd")
    chance, seen = random.Random(seed), Counter[str]()

    async def act(scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        receiver = loop.create_task(watch(scene, seen))
        until = scene.clock.now() + 60.0 * MINUTES
        while scene.clock.now() < until:
            harm(scene, chance)
            await asyncio.sleep(chance.expovariate(1 / 8.0))
            assert not receiver.done(), receiver
        receiver.cancel()
        scene.upper.way = scene.door.way = Way()
        scene.upper.reset()
        scene.door.reset()
        assert await scene.back() < BACK_WITHIN + RECEIVER_GIVES_UP
        async with scene.client() as client:
            assert await scene.picture(client) < 1.0
        await asyncio.sleep(60.0)
        assert not scene.lower.server._router._flights, "nothing is left of what was asked"
        assert len(scene.lower.server._context.seats.of(b"anna")) == 0

    live(act, monkeypatch)
    assert seen["right"] > 10
    assert "internal error" not in caplog.text
    assert len(caplog.records) < 40 * MINUTES
