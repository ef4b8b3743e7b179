"""A bad way between two programs, of our own: kernels without netem have it, too, and time may fly.

It stands between a client and a server on the loopback interface and passes bytes on: later, in
small pieces, slowly, not at all for a while (what a lost segment does to TCP), or never again.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from laboratory import HOST

from cccamd.net import TaskSet


@dataclass
class Way:
    """How the way is; may be changed at any time."""

    delay: float = 0.0
    """Seconds for each piece, one way."""
    piece: int = 65536
    """Bytes that are passed on at once."""
    rate: float = float("inf")
    """Bytes a second, each way."""
    loss: float = 0.0
    """Which part of the pieces is lost, and comes `resent` seconds later."""
    resent: float = 0.2
    silent_after: int | None = None
    """Bytes from the server after which the rest is swallowed; the connection stays."""
    dead: bool = False
    """Nothing is passed on either way, and new connections get no answer."""


@dataclass
class Proxy:
    """One port that leads to another."""

    target: int
    way: Way = field(default_factory=Way)
    seed: int = 1
    port: int = 0
    host: str = HOST
    target_host: str = HOST
    passed: int = 0
    """Bytes from the server on the connection that was made last."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks = TaskSet(on_failure=_failed)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._take, self.host, self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.reset()
            await self._tasks.cancel()

    def reset(self) -> None:
        """End all connections at once, without a word."""
        for writer in self._writers:
            writer.transport.abort()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: of one that asyncio makes it reports the end as an error.
        self._tasks.start("a way", self._join(reader, writer))

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.passed = 0
        there: asyncio.StreamWriter | None = None
        try:
            with suppress(OSError):
                answers, there = await asyncio.open_connection(self.target_host, self.target)
                self._writers.add(there)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass_on(reader, there, counted=False))
                    group.create_task(self._pass_on(answers, writer, counted=True))
        finally:
            for each in (writer, there):
                if each is not None:
                    self._writers.discard(each)
                    each.close()

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def take() -> None:
            with suppress(OSError):
                while data := await source.read(self.way.piece):
                    way = self.way
                    if len(data) / way.rate:
                        await asyncio.sleep(len(data) / way.rate)
                    lost = way.resent if self._random.random() < way.loss else 0.0
                    under_way.put_nowait((loop.time() + way.delay + lost, data))
            under_way.put_nowait((loop.time(), b""))  # the end comes right after the last piece

        async with asyncio.TaskGroup() as group:
            group.create_task(take())
            group.create_task(self._arrive(under_way, sink, counted=counted))

    async def _arrive(
        self,
        under_way: asyncio.Queue[tuple[float, bytes]],
        sink: asyncio.StreamWriter,
        *,
        counted: bool,
    ) -> None:
        """Pass on in order; a piece that was lost holds up those behind it, as in TCP."""
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while True:
                due, data = await under_way.get()
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                while self.way.dead:
                    await asyncio.sleep(0.5)
                if not data or sink.is_closing():
                    break
                if counted:
                    if self.way.silent_after is not None:
                        data = data[: max(0, self.way.silent_after - self.passed)]
                    self.passed += len(data)
                sink.write(data)
        with suppress(OSError):
            sink.write_eof()


def _failed(name: str, error: BaseException) -> None:
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": f"{name} failed", "exception": error})
