"""Tasks have a name and an owner, and nobody else suffers when one fails."""

import asyncio

from peer import until

from cccamd.net import TaskSet


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
