"""Tasks have a name and an owner, and nobody else suffers when one fails."""

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest
from peer import until

from cccamd.net import Alarm, TaskSet, Wheel, in_slices, loop_factory, tasks


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


class Bell:
    """What an alarm rings."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self.ring = ring


@pytest.mark.parametrize("make", [asyncio.new_event_loop, loop_factory() or asyncio.new_event_loop])
def test_an_alarm_rings_by_the_earliest_deadline(make: Callable[[], Any]) -> None:
    """On the loop of a server, too, whose timers do not know when they go off if that is now."""

    async def work() -> None:
        now = asyncio.get_running_loop().time()
        rung: list[float] = []
        alarm = Alarm(Bell(lambda: rung.append(asyncio.get_running_loop().time())))
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


class HandLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is turned by hand."""

    now = 1000.3

    def time(self) -> float:
        return self.now

    @property
    def timers(self) -> int:
        return sum(not timer.cancelled() for timer in self._scheduled)  # type: ignore[attr-defined]

    async def turn(self, until: float) -> None:
        """Let time pass in small steps."""
        while self.now < until:
            self.now += 0.25
            for _ in range(5):
                await asyncio.sleep(0)


def by_hand(work: Callable[[HandLoop], Any]) -> None:
    with asyncio.Runner(loop_factory=HandLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, HandLoop)
        runner.run(work(loop))


def test_many_alarms_that_are_far_off_share_a_timer_and_ring_when_they_should() -> None:
    async def work(loop: HandLoop) -> None:
        wheel, began, rung = Wheel(), loop.now, dict[int, float]()
        deadlines = {number: began + 0.1 * number for number in range(600)}
        for number, deadline in deadlines.items():
            bell = Bell(lambda number=number: rung.__setitem__(number, loop.now))
            Alarm(bell, wheel).set(deadline)
        assert loop.timers <= 32, "of those that are due within three seconds, and of the wheel"
        await loop.turn(began + 30.0)
        assert loop.timers <= 32
        await loop.turn(began + 61.0)
        assert len(rung) == len(deadlines)
        assert all(0.0 <= at - deadlines[number] <= 0.25 for number, at in rung.items())
        assert loop.timers == 0, "with nothing on it the wheel stands still"

    by_hand(work)


def test_an_alarm_that_was_moved_or_has_ended_does_not_ring_where_it_was_on_the_wheel() -> None:
    async def work(loop: HandLoop) -> None:
        wheel, began, rung = Wheel(), loop.now, list[float]()
        moved, again, ended, stopped = (
            Alarm(Bell(lambda: rung.append(loop.now - began)), wheel) for _ in range(4)
        )
        moved.set(began + 20.0)
        moved.set(began + 5.0)
        moved.set(began + 40.0)
        again.set(began + 21.0)
        again.cancel()
        again.set(began + 50.0)
        ended.set(began + 22.0)
        ended.end()
        stopped.set(began + 23.0)
        stopped.cancel()
        await loop.turn(began + 10.0)
        assert rung == [5.0]
        moved.set(began + 20.5)  # twice on the wheel for about the same moment
        await loop.turn(began + 45.0)
        assert rung == [5.0, 20.5]
        await loop.turn(began + 90.0)
        assert rung == [5.0, 20.5, 50.0]
        assert loop.timers == 0
        moved.set(loop.now + 1.0)
        moved.end()
        assert loop.timers == 0

    by_hand(work)


class Worked:
    """A clock that only goes on by work, and who worked in each turn of the loop."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns: list[list[str]] = [[]]

    async def count_turns(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.turns.append([])

    def work(self, name: str, steps: int) -> Generator[None, None, str]:
        for _ in range(steps):
            self.now += tasks.SLICE / 4
            self.turns[-1].append(name)
            yield
        return name


@pytest.mark.pure_only("gives the module another clock")
async def test_works_at_the_same_time_have_one_slice_of_each_turn_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each with a slice of its own, a page, a scrape and a card list would stop answers for three.
    The short one does not wait until the long ones are done."""
    worked = Worked()
    monkeypatch.setattr(tasks, "perf_counter", lambda: worked.now)
    counting = asyncio.get_running_loop().create_task(worked.count_turns())
    ended: list[str] = []

    async def work(name: str, steps: int) -> None:
        ended.append(await in_slices(worked.work(name, steps)))

    await asyncio.gather(work("list", 40), work("page", 40), work("look", 3))
    counting.cancel()
    assert ended[0] == "look"
    assert sorted(ended) == ["list", "look", "page"]
    turns = [turn for turn in worked.turns if turn]
    assert sum(map(len, turns)) == 83
    assert max(map(len, turns)) == 4, "a slice is four steps"


async def test_a_work_that_fails_or_is_cancelled_ends_and_the_others_go_on() -> None:
    closed: list[str] = []

    def endless() -> Generator[None, None, None]:
        try:
            while True:
                yield
        finally:
            closed.append("cancelled")

    def failing() -> Generator[None, None, None]:
        yield
        raise ZeroDivisionError

    def short() -> Generator[None, None, int]:
        for _ in range(3):
            yield
        return 7

    loop = asyncio.get_running_loop()
    cancelled = loop.create_task(in_slices(endless()))
    failed, fine = loop.create_task(in_slices(failing())), loop.create_task(in_slices(short()))
    with pytest.raises(ZeroDivisionError):
        await failed
    assert await fine == 7
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert cancelled.cancelled()
    assert closed == ["cancelled"]
    assert await in_slices(short()) == 7
