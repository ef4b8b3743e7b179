"""Links that wait while somebody wants what they have, and what is told of them meanwhile."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from laboratory import Laboratory, ask, running

from cccamd.facts import LinkState, SourceStatus, Step
from cccamd.lab.ports import free_port
from cccamd.net import Backoff
from cccamd.net import link as link_module

NO_CARDS = ""
FOR_EVER = 600.0


@pytest.fixture(autouse=True)
def _long_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that nobody misses waits longer than any test; one that is missed tries at once."""
    monkeypatch.setattr(Backoff, "next_delay", lambda self, random: FOR_EVER)
    monkeypatch.setattr(link_module, "LEAST_PAUSE", 0.05)
    monkeypatch.setattr(link_module, "HURRIED_PART", FOR_EVER / 0.05)


def c_line(port: int, password: str = "secret") -> str:
    return f"C: 127.0.0.1 {port} anna {password}\nF: anna secret"


def the_source(lab: Laboratory) -> SourceStatus:
    (source,) = lab.server.snapshot().sources
    return source


async def until(lab: Laboratory, reached: Callable[[SourceStatus], bool]) -> SourceStatus:
    async with asyncio.timeout(10.0):
        while not reached(the_source(lab)):
            await asyncio.sleep(0.01)
    return the_source(lab)


def waits(source: SourceStatus) -> bool:
    return source.state is LinkState.WAITING and source.failed_step is not None


def is_up(source: SourceStatus) -> bool:
    return source.state is LinkState.UP


async def test_a_link_that_nobody_misses_waits_and_a_client_that_comes_wakes_it() -> None:
    port = free_port()
    started = time.time()
    async with running(c_line(port), NO_CARDS) as near:
        down = await until(near, waits)
        assert down.failed_step is Step.REFUSED
        assert "nothing listens" in down.last_failure
        assert down.down_since is not None
        assert started <= down.down_since <= time.time()
        async with running(port=port):
            await asyncio.sleep(0.3)
            assert waits(the_source(near)), "nobody has asked"
            async with near.client() as client:
                up = await until(near, is_up)
                assert (up.down_since, up.next_attempt_at) == (None, None)
                assert await client.wait_until(lambda: len(client.cards) == 1, timeout=10.0)
        lost = await until(near, lambda source: not is_up(source))
        assert lost.down_since is not None
        assert lost.failed_step in (Step.CLOSED, Step.REFUSED)


async def test_a_client_that_is_refused_wakes_a_link() -> None:
    port = free_port()
    async with running(c_line(port), NO_CARDS) as near, near.client() as client:
        await until(near, waits)
        await asyncio.sleep(0.3)  # after the hurry of its login
        async with running(port=port):
            await asyncio.sleep(0.2)
            assert waits(the_source(near))
            await ask(client, b"\x80nobody has it")
            await until(near, is_up)


async def test_a_link_is_missed_by_those_who_were_asking_it() -> None:
    """They are told that its cards are gone, and ask for nothing any more."""
    port = free_port()
    far = AsyncExitStack()
    async with far, running(c_line(port), NO_CARDS) as near:
        await far.enter_async_context(running(port=port))
        async with near.client() as client:  # whose login wakes the link, which may have been early
            assert await client.wait_until(lambda: len(client.cards) == 1, timeout=10.0)
            await ask(client, b"\x80watching")
            await far.aclose()
            assert await client.wait_until(lambda: not client.cards, timeout=10.0)
            await until(near, lambda source: source.failed_step is Step.REFUSED)
            async with running(port=port):
                await until(near, is_up)


async def test_the_next_attempt_of_a_link_that_is_missed_is_told_as_soon_as_it_comes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, "cccamd.upstream")
    port = free_port()
    far = AsyncExitStack()
    async with far, running(c_line(port), NO_CARDS) as near:
        await far.enter_async_context(running(port=port))
        async with near.client() as client:
            assert await client.wait_until(lambda: len(client.cards) == 1, timeout=10.0)
            await ask(client, b"\x80watching")
            monkeypatch.setattr(link_module, "HURRIED_PART", 10.0)
            monkeypatch.setattr(Backoff, "next_delay", lambda self, random: 60.0)
            await far.aclose()
            down = await until(near, waits)
            assert down.next_attempt_at is not None
            assert down.next_attempt_at - time.time() <= 6.0
    assert "next attempt in 6.0 s" in caplog.text


async def test_a_server_that_refuses_our_login_is_not_pestered() -> None:
    async with (
        running() as far,
        running(c_line(far.port, "wrong"), NO_CARDS) as near,
    ):
        down = await until(near, waits)
        assert down.failed_step is Step.LOGIN
        async with near.client() as client:
            for number in range(3):
                await ask(client, b"\x80" + bytes([number]))
                await asyncio.sleep(0.2)
        assert far.server.snapshot().logins_failed == 1


async def test_a_failure_is_told_once_and_not_at_each_attempt(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backoff, "next_delay", lambda self, random: 0.02)
    caplog.set_level(logging.DEBUG, "cccamd.upstream")
    async with running(c_line(free_port()), NO_CARDS):
        async with asyncio.timeout(10.0):
            while len([line for line in caplog.messages if "again: " in line]) < 5:
                await asyncio.sleep(0.01)
    told = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
    assert len([line for line in told if "nothing listens" in line]) == 1
