"""Work that blocks, for as long as it likes: the program does not wait for it when it ends."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def in_thread(act: Callable[[], T]) -> asyncio.Future[T]:
    """Do something in a thread of its own, which is a daemon; whoever waits may give up."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(result: T) -> None:
        if not done.done():
            done.set_result(result)

    def fail(error: Exception) -> None:
        if not done.done():
            done.set_exception(error)

    def run() -> None:
        try:
            result = act()
        except Exception as error:
            _tell(loop, fail, error)
        else:
            _tell(loop, finish, result)

    threading.Thread(target=run, name="waiting", daemon=True).start()
    return done


def _tell(loop: asyncio.AbstractEventLoop, act: Callable[[T], None], told: T) -> None:
    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(act, told)
