"""Tasks have a name and an owner, and nobody else suffers when one fails."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from peer import until

from cccamd.net import Alarm, TaskSet, loop_factory


class Owner:
    def __init__(self) -> None:
        self.failures: list[tuple[str, BaseException]] = []
        self.tasks = TaskSet(on_failure=lambda name, error: self.failures.append((name, error)))


async def ends() -> None:
    """Do nothing."""


async def fails() -> None:
    raise ZeroDivisionError


async def test_a_task_that_fails_is_told_by_name_and_the_others_go_on() -> None:
    owner, waiting = Owner(), asyncio.Event()

    async def waits() -> None:
        await waiting.wait()

    other = owner.tasks.start("other", waits())
    assert other.get_name() == "other"
    owner.tasks.start("well", ends())
    owner.tasks.start("ill", fails())
    await until(lambda: bool(owner.failures))
    ((name, error),) = owner.failures
    assert name == "ill"
    assert isinstance(error, ZeroDivisionError)
    waiting.set()
    await other
    assert len(owner.failures) == 1
    assert not owner.tasks._tasks, "what has ended is not kept"


async def test_cancelled_tasks_have_ended_and_are_no_failures() -> None:
    owner, cleaned = Owner(), []

    async def waits() -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    task = owner.tasks.start("waits", waits())
    await asyncio.sleep(0)
    await owner.tasks.cancel()
    assert task.cancelled()
    assert cleaned == ["up"]
    await asyncio.sleep(0)
    assert not owner.failures


@pytest.mark.parametrize("make", [asyncio.new_event_loop, loop_factory() or asyncio.new_event_loop])
def test_an_alarm_rings_by_the_earliest_deadline(make: Callable[[], Any]) -> None:
    """On the loop of a server, too, whose timers do not know when they go off if that is now."""

    async def work() -> None:
        now = asyncio.get_running_loop().time()
        rung: list[float] = []
        alarm = Alarm(lambda: rung.append(asyncio.get_running_loop().time()))
        alarm.set(now + 3600)
        alarm.set(now)
        alarm.set(now)
        alarm.set(now + 7200)
        alarm.set(None)
        await until(lambda: bool(rung))
        assert rung[0] < now + 3600
        alarm.set(now - 1)
        alarm.cancel()
        alarm.set(now - 1)
        alarm.set(now)
        await until(lambda: len(rung) == 2)
        alarm.set(now)
        alarm.end()
        await asyncio.sleep(0)
        assert len(rung) == 2

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(work())
