"""A loop that stands still is seen at it, told as an incident, and counted."""

import asyncio
import time
from types import FrameType

import pytest
from laboratory import running

from cccamd.facts import Cause
from cccamd.net import TaskSet
from cccamd.server import heartbeat as heartbeat_module
from cccamd.server.heartbeat import Heartbeat, describe
from cccamd.watch import Pause


def hold(seconds: float) -> None:
    """Work of ours, as the thread of the loop is seen at it: seconds of the processor, so that a
    machine that is busy with others leaves as much to see."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def test_a_pause_is_told_with_what_ran() -> None:
    pauses: list[Pause] = []
    heartbeat = Heartbeat(pauses.append)
    tasks = TaskSet(on_failure=lambda name, error: None)
    tasks.start("heartbeat", heartbeat.run())
    await asyncio.sleep(0.05)
    hold(0.3)
    await asyncio.sleep(0.05)
    await tasks.cancel()
    ours = [pause for pause in pauses if any("hold" in line for line in pause.doing)]
    assert max(pause.seconds for pause in ours) > 0.25


async def test_a_stack_that_unwinds_while_it_is_read_costs_that_look_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[FrameType | None] = []

    def torn(frame: FrameType | None) -> tuple[str, ...]:
        looks.append(frame)
        if len(looks) == 1:
            raise AttributeError("'NoneType' object has no attribute 'get'")
        return describe(frame)

    monkeypatch.setattr(heartbeat_module, "describe", torn)
    pauses: list[Pause] = []
    heartbeat = Heartbeat(pauses.append)
    tasks = TaskSet(on_failure=lambda name, error: None)
    tasks.start("heartbeat", heartbeat.run())
    await asyncio.sleep(0.05)
    async with asyncio.timeout(20.0):
        while len(looks) < 3:
            hold(0.2)
            await asyncio.sleep(0.05)
    await tasks.cancel()
    assert any("hold" in line for pause in pauses for line in pause.doing)


async def test_it_is_an_incident() -> None:
    async with running() as lab:
        tasks = TaskSet(on_failure=lambda name, error: None)
        tasks.start("heartbeat", lab.server.heartbeat.run())
        for turn in range(1, 8):  # where others have the processor, it is their fault: the longest
            await asyncio.sleep(0.05)  # counts, and of a longer one more is ours
            hold(0.2 * turn)
            await asyncio.sleep(0.05)
            await lab.server._lookout.look()
            (found,) = [
                each for each in lab.server.incidents() if each.cause is Cause.SERVER_PAUSED
            ]
            if any("hold" in line for line in found.evidence):
                break
        await tasks.cancel()
    assert found.text.startswith("stood still for ")
    assert any("hold" in line for line in found.evidence)
    assert found.change
