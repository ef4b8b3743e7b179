"""An event loop without a computer: no sockets, no threads, no time of its own.

Everything that asyncio needs is there, so that the server runs on it as it is. Time passes when
nothing is left to do, and then at once as far as the next timer. What runs in a thread elsewhere
runs here at once, and its result comes a moment later. So the same calls give the same run.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from simtls import shake
from simwires import Net

BEGAN: Final = 1000.0
"""The monotonic clock at the beginning."""
EPOCH: Final = 1_700_006_385.0
"""The wall clock at the beginning: a quarter of a minute before midnight."""


class Stuck(Exception):
    """Nothing will ever happen any more."""


class SimClock:
    """The clocks of one run."""

    def __init__(self, chance: random.Random) -> None:
        self.elapsed = 0.0
        self.jumped = 0.0
        """By how much somebody has moved the wall clock."""
        self._chance = chance
        self._work = 0.0

    def now(self) -> float:
        return BEGAN + self.elapsed

    def wall(self) -> float:
        return EPOCH + self.elapsed + self.jumped

    def local(self, at: float | None = None) -> time.struct_time:
        return time.gmtime(self.wall() if at is None else at)

    def work(self) -> float:
        """What `perf_counter` says: each look at it takes up to a millisecond of work."""
        self._work += self._chance.random() * 0.001
        return self._work


class _NoSockets:
    """Stands where asyncio has its selector."""

    def __init__(self, loop: "SimLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        loop = self._loop
        loop.between()
        if timeout is None:
            raise Stuck
        if timeout > 0:
            loop.clock.elapsed += timeout + 1e-9
        return []

    def close(self) -> None:
        """Nothing is open."""


class _Threads:
    """A real thread takes as long as the machine likes, and no run would be as another."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def Thread(self, *, target: Callable[[], None], **_: object) -> "_Threads":
        asyncio.get_running_loop().call_later(self._chance.random() * 0.05, target)
        return self

    def start(self) -> None:
        """It is on its way."""


class SimLoop(asyncio.BaseEventLoop):
    """asyncio's own scheduling over a net in memory."""

    def __init__(self, clock: SimClock, net: Net, chance: random.Random) -> None:
        super().__init__()
        self.clock = clock
        self.net = net
        self.between: Callable[[], None] = lambda: None
        """Called between all events of one moment and those of the next."""
        self._chance = chance
        self._selector = _NoSockets(self)

    def time(self) -> float:
        return self.clock.now()

    def _process_events(self, events: Sequence[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """There is no other thread."""

    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: Any) -> Any:
        done = self.create_future()
        try:
            result, error = func(*args), None
        except Exception as raised:
            result, error = None, raised
        self.call_later(self._chance.random() * 0.05, _settle, done, result, error)
        return done

    def add_reader(self, fd: Any, callback: Callable[..., object], *args: Any) -> None:
        fd.when_ready(lambda: callback(*args))

    def remove_reader(self, fd: Any) -> bool:
        fd.when_ready(None)
        return True

    async def connect_accepted_socket(self, factory: Any, sock: Any, **more: Any) -> Any:
        if more.get("ssl") is not None:
            return await shake(sock.end, factory, more["ssl"], more["ssl_handshake_timeout"])
        protocol = factory()
        sock.end.protocol = protocol
        sock.end._begin()
        return sock.end, protocol

    async def create_connection(self, factory: Any, *, sock: Any, **more: Any) -> Any:
        if more.get("ssl") is not None:
            return await shake(sock.end, factory, more["ssl"], more["ssl_handshake_timeout"])
        return self.net.adopt(sock, factory())


def _settle(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)


@contextmanager
def in_its_own_time(clock: SimClock, net: Net, chance: random.Random) -> Iterator[None]:
    """Give the program another time, another net, and chance that repeats itself."""
    state = random.getstate()
    random.seed(chance.random())
    with (
        patch.multiple(
            "time",
            time=clock.wall,
            monotonic=clock.now,
            perf_counter=clock.work,
            localtime=clock.local,
        ),
        patch("os.urandom", chance.randbytes),
        patch("cccamd.net.tasks.perf_counter", clock.work),
        patch("cccamd.net.fairness.perf_counter", clock.work),
        patch("cccamd.machine.processor.time", SimpleNamespace(perf_counter=clock.now)),
        patch("cccamd.machine.processor.waited_for_processor", lambda: 0.0),
        patch("cccamd.localcards.guard.monotonic", clock.now),
        patch("cccamd.net.threads.threading", _Threads(chance)),
        patch("cccamd.net.dial.connect", net.connect),
        patch("cccamd.net.listener.open_sockets", net.open_sockets),
        patch("cccamd.server.dvbapi.door.open_sockets", net.open_sockets),
        patch("cccamd.net.link.route_to", lambda address: "10.0.0.1"),
        patch("cccamd.net.connection.route_to", lambda address: "10.0.0.1"),
    ):
        try:
            yield
        finally:
            random.setstate(state)
