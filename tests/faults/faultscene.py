"""A server, its upstream and its clients, with bad ways between them, in a time that flies."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from laboratory import HOST, TEST_CARD, Laboratory, ask, expected_cw, running
from proxy import Proxy
from virtual import Clock, live_through

from cccamd.facts import SourceStatus
from cccamd.net import Client, ConnectError
from cccamd.wire.cccam import ClientProtocol

BACK_WITHIN = 65.0
"""Seconds: the longest pause between two attempts of a link, and a login."""
RECEIVER_GIVES_UP = 5.0


@dataclass
class Scene:
    """A server with one upstream, of which a bad way leads to it, and one to its clients."""

    clock: Clock
    lower: Laboratory
    upper: Proxy
    door: Proxy
    asked: int = 0

    @property
    def source(self) -> SourceStatus:
        (source,) = self.lower.server.snapshot().sources
        return source

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client[ClientProtocol]]:
        """One whose way leads through the proxy."""
        there = Laboratory(self.lower.server, self.door.port)
        async with there.client() as client:
            await client.wait_until(lambda: bool(client.cards), timeout=10.0)
            yield client

    async def picture(self, client: Client[ClientProtocol]) -> float:
        """Ask a new ECM; how long its CW took."""
        self.asked += 1
        ecm = b"\x80%d" % self.asked
        began = self.clock.now()
        assert await ask(client, ecm) == expected_cw(ecm)
        return self.clock.now() - began

    async def until(self, reached: Callable[[], object], within: float = BACK_WITHIN) -> None:
        began = self.clock.now()
        while not reached():
            assert self.clock.now() - began < within
            await asyncio.sleep(0.25)

    async def back(self) -> float:
        """Until a picture is seen again; how long that took."""
        began = self.clock.now()
        while True:
            try:
                async with self.client() as client:
                    await self.picture(client)
                return self.clock.now() - began
            except (AssertionError, ConnectError, ConnectionError, TimeoutError):
                assert self.clock.now() - began < BACK_WITHIN
                await asyncio.sleep(1.0)


def live(
    act: Callable[[Scene], Coroutine[None, None, None]],
    patch: pytest.MonkeyPatch,
    host: str = HOST,
) -> None:
    """Let something happen; `host` is what the C-line names."""

    async def test(clock: Clock) -> None:
        async with AsyncExitStack() as stack:
            far = await stack.enter_async_context(running("F: me secret", TEST_CARD))
            upper = await stack.enter_async_context(Proxy(far.port).open())
            line = f"F: anna secret\nC: {host} {upper.port} me secret"
            lower = await stack.enter_async_context(running(line, ""))
            door = await stack.enter_async_context(Proxy(lower.port).open())
            scene = Scene(clock, lower, upper, door)
            clock.fly()
            await scene.until(lambda: scene.source.cards > 0)
            await act(scene)

    live_through(test, patch)
