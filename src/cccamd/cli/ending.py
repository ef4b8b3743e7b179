"""Runs a server to its end: nothing but its own end, or a second signal, ends it.

Theory of operation. asyncio hands `KeyboardInterrupt` and `SystemExit` of any callback or task to
whoever runs the loop, which ends the program. Those of the operator come by signal handlers here,
so what comes that way is the mistake of foreign code (a plug-in's own task or callback): it is
logged, and the loop goes on. So it does when the loop itself raises, as it may without memory. If
the server's own task fails, or the loop does so again and again, the process ends at once: whoever
watches it starts it anew, which is better than one that is there and serves nobody. In the end
asyncio waits for all tasks and threads, however long they take; here they have a moment, and then
the process ends without them.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

from cccamd.localcards import threads_of_card
from cccamd.net import in_thread
from cccamd.watch import Throttle

log = logging.getLogger("cccamd.server")
P = ParamSpec("P")
T = TypeVar("T")

LAST_MOMENT: Final = 2.0
"""Seconds that tasks and threads have when the server has stopped."""
LOOP_FAILURES: Final = 100
"""So often the loop may raise; a server without memory for a minute comes to a few."""
EXIT_BROKEN: Final = 1


class Pool(ThreadPoolExecutor):
    """Threads for what takes a while. Where the system gives no more of them (RLIMIT_NPROC,
    TasksMax of a service) those that are there do all, one of them from the beginning. A card's
    work goes to the threads of that card: it may block for ever."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="work")
        with contextlib.suppress(RuntimeError):
            self.submit(int)

    def submit(self, fn: Callable[P, T], /, *words: P.args, **named: P.kwargs) -> Future[T]:
        """Have it done by one of them, or by one of a card's."""
        own = threads_of_card()
        return (
            super().submit(fn, *words, **named) if own is None else own.submit(fn, *words, **named)
        )

    def _adjust_thread_count(self) -> None:
        """Start one more, unless one has nothing to do; the library's own, which gives up."""
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            if not self._threads:
                raise


def run_to_the_end(
    main: Coroutine[Any, Any, int], make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> int:
    """Run `main`, and return its exit status; if something does not end, the process does."""
    loop = make_loop()
    asyncio.set_event_loop(loop)
    pool = Pool()
    loop.set_default_executor(pool)
    task = loop.create_task(main, name="server")
    throttle = Throttle(others="other errors")
    failures = 0
    while not task.done():
        try:
            loop.run_until_complete(task)
        except (KeyboardInterrupt, SystemExit) as error:
            if task.done():
                raise
            kind = type(error).__name__
            if throttle.admits(kind, time.time()):
                log.error("foreign code raised %s; the server goes on", kind)
            throttle.ended(time.time())
        except Exception as error:
            failures += 1
            if not task.done() and failures < LOOP_FAILURES:
                _say("the loop failed, and goes on", error)
                continue
            _say("the server has failed, and ends", error)
            _leave(EXIT_BROKEN)
    status = task.result()
    if _ended(loop, pool):
        loop.close()
        return status
    _leave(status)


def _say(what: str, error: Exception) -> None:
    with contextlib.suppress(Exception):  # there may be no memory even for this
        log.error("%s: %s: %s", what, type(error).__name__, error)


def _ended(loop: asyncio.AbstractEventLoop, pool: ThreadPoolExecutor) -> bool:
    """Whether all tasks and threads of the loop have ended within a moment."""
    try:
        return loop.run_until_complete(_end_all(pool))
    except (KeyboardInterrupt, SystemExit):
        return False


async def _end_all(pool: ThreadPoolExecutor) -> bool:
    loop = asyncio.get_running_loop()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        _, going_on = await asyncio.wait(others, timeout=LAST_MOMENT)
        if going_on:
            names = ", ".join(sorted(task.get_name() for task in going_on))
            log.warning("stopped without waiting for what does not end: %s", names)
            return False
    await loop.shutdown_asyncgens()
    try:
        async with asyncio.timeout(LAST_MOMENT):
            # The loop's own way joins the threads when the time is over, however long they take.
            await in_thread(pool.shutdown)
            for thread in _others():
                await in_thread(thread.join)
    except TimeoutError:
        log.warning("stopped without waiting for a thread that does not end")
        return False
    return True


def _others() -> list[threading.Thread]:
    """Threads of foreign code that Python would wait for."""
    known = (threading.main_thread(), threading.current_thread())
    return [each for each in threading.enumerate() if not each.daemon and each not in known]


def stop_at(signals: tuple[signal.Signals, ...], stop: Callable[[], None]) -> None:
    """Call `stop` at the first of these signals; the second ends the process at once."""
    loop = asyncio.get_running_loop()
    came: list[signal.Signals] = []

    def handle(number: signal.Signals) -> None:
        if came:
            log.warning("stopped at once: %s came again", number.name)
            _leave(128 + number)
        came.append(number)
        stop()

    for number in signals:
        loop.add_signal_handler(number, handle, number)


def _leave(status: int) -> NoReturn:
    """End without waiting for anything; the log is written to its end."""
    with contextlib.suppress(Exception):
        logging.shutdown()
        sys.stdout.flush()
    os._exit(status)
