"""What happens later: tasks, each with a name and an owner, and alarms. Made nowhere else."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from time import perf_counter
from typing import Any, Final, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

SLICE: Final = 0.0005
"""Seconds of work after which others have their turn: what an ECM that comes meanwhile waits."""

END_TIMEOUT: Final = 3.0
"""Seconds that a task may take to end when it was cancelled."""
NEVER: Final = float("inf")
FAR: Final = 3.0
"""Seconds until a deadline from which on it waits on a wheel, if there is one."""


def at_once(steps: Generator[None, None, T]) -> T:
    """Take all steps of some work, and return what it comes to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


async def in_slices(steps: Generator[None, None, T]) -> T:
    """The same; whoever else waits for the loop has a turn in between, and all works that go on at
    the same time take turns: in each of the loop's, they have one slice together."""
    loop = asyncio.get_running_loop()
    works = _WORKS.get(loop)
    if works is None:
        works = _WORKS[loop] = _Works()
    ended: asyncio.Future[T] = loop.create_future()
    works.add(_Work(steps, ended))
    try:
        return await ended
    finally:
        steps.close()  # it was cancelled, or is at its end


class _Work(Generic[T]):
    """One long work."""

    __slots__ = ("_steps", "ended")

    def __init__(self, steps: Generator[None, None, T], ended: asyncio.Future[T]) -> None:
        self._steps = steps
        self.ended = ended

    def go_on(self, until: float) -> bool:
        """Take steps until then; say whether there are more."""
        try:
            while not self.ended.done():
                next(self._steps)
                if perf_counter() >= until:
                    return True
        except StopIteration as stop:
            if not self.ended.done():
                self.ended.set_result(stop.value)
        except BaseException as error:
            if not self.ended.done():
                self.ended.set_exception(error)
        return False


class _Works:
    """All long works of one loop.

    Each in a task of its own would take a slice in the same turn of the loop: a page, a scrape, a
    card list and the watchers would stop answers four times as long.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Work[Any]] = deque()

    def add(self, work: _Work[Any]) -> None:
        """Let it have its turn, after those who wait already."""
        self._waiting.append(work)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._act)

    def _act(self) -> None:
        until = perf_counter() + SLICE
        waiting = self._waiting
        while waiting:
            if waiting[0].go_on(until):
                waiting.rotate(-1)
                break
            waiting.popleft()
            if perf_counter() >= until:
                break
        if waiting:
            asyncio.get_running_loop().call_soon(self._act)


_WORKS: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Works]" = WeakKeyDictionary()


class Turns:
    """Many small pieces of work, of which a few milliseconds' worth are done between others'.

    A thousand callbacks of a millisecond each would run one after the other before the loop looks
    at any socket again.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()
        self._is_due = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, act: Callable[..., object], *words: object) -> None:
        """Call `act` with these words when its turn comes: soon, in the order of the calls."""
        self._waiting.append((act, words))
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._act)

    def finish(self) -> None:
        """Do all that waits at once, whoever waits for the loop."""
        while self._waiting:
            self.do_next()

    def do_next(self) -> None:
        """Do what waits for longest at once."""
        act, words = self._waiting.popleft()
        act(*words)

    def _act(self) -> None:
        began = perf_counter()
        self._is_due = False
        try:
            while self._waiting and perf_counter() - began <= SLICE:
                self.do_next()
        finally:
            if self._waiting:
                self._is_due = True
                asyncio.get_running_loop().call_soon(self._act)


class TaskSet:
    """The tasks of one owner; they end with it.

    A task that ends with an exception is reported to `on_failure`, and nothing else ends
    because of it.
    """

    def __init__(self, *, on_failure: Callable[[str, BaseException], None]) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._on_failure = on_failure

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` under a name that logs and debuggers show."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def cancel(self) -> None:
        """Cancel all tasks and wait until each has ended, but not for ever."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        _, going_on = await asyncio.wait(tasks, timeout=END_TIMEOUT)
        for task in going_on:
            self._on_failure(task.get_name(), TimeoutError("it was cancelled, and goes on"))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(task.get_name(), error)


class Sleeper(Protocol):
    """Who has an alarm. (A method of its own for each would be 64 bytes of each client.)"""

    def ring(self) -> None:
        """Do what is due; being called too early must do no harm."""


class Alarm:
    """Calls `ring` of its owner by the deadline it was set to."""

    __slots__ = ("_loop", "_owner", "_rings_at", "_timer", "_wheel")

    def __init__(self, owner: Sleeper, wheel: "Wheel | None" = None) -> None:
        """`wheel`: where it waits while its deadline is far off, with others."""
        self._owner: Sleeper | None = owner
        self._wheel = wheel
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._rings_at = NEVER
        """When it rings. uvloop's handles of what is due already do not know."""

    def set(self, deadline: float | None) -> None:
        """Ring by `deadline` on the loop's clock; None sets nothing."""
        if deadline is None or self._rings_at <= deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._rings_at = deadline
        wheel = self._wheel
        if wheel is None or deadline - self._loop.time() < FAR:
            self._timer = self._loop.call_at(deadline, self._go_off)
        else:
            wheel.add(self, deadline)

    def approach(self) -> None:
        """The wheel has come to where this alarm once was, and may be still."""
        if self._timer is None and self._rings_at - self._loop.time() < FAR:
            self._timer = self._loop.call_at(self._rings_at, self._go_off)

    def cancel(self) -> None:
        """Do not ring any more."""
        self._rings_at = NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """Never ring again, and let go of the owner."""
        self.cancel()
        self._owner = None

    def _go_off(self) -> None:
        self._timer, self._rings_at = None, NEVER
        if self._owner is not None:
            self._owner.ring()


class Wheel:
    """Alarms that are far off, by the second, with one timer for all.

    A timer of uvloop takes half a kilobyte and some microseconds, and thousands of clients each
    have a deadline that mostly is moved before it comes. An alarm that is moved to an earlier
    moment, or ends, stays on the wheel until its second has come; then it is known not to be due.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._turns = Turns()
        self._seconds: dict[int, list[Alarm]] = {}
        """By the second after which each gets a timer of its own."""
        self._timer: asyncio.Handle | None = None

    def add(self, alarm: Alarm, deadline: float) -> None:
        """Let an alarm `approach` a little before its deadline, in its turn."""
        second = int(deadline - FAR / 2)
        alarms = self._seconds.get(second)
        if alarms is None:
            alarms = self._seconds[second] = []
        alarms.append(alarm)
        if self._timer is None:
            self._timer = self._loop.call_at(int(self._loop.time()) + 1.0, self._turn)

    def _turn(self) -> None:
        now = int(self._loop.time())
        for second in [each for each in self._seconds if each <= now]:
            for alarm in self._seconds.pop(second):
                self._turns.add(alarm.approach)
        self._timer = self._loop.call_at(now + 1.0, self._turn) if self._seconds else None
