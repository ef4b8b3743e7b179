"""An upstream that says nothing any more, from any byte of its answers on, and comes back."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from laboratory import HOST, TEST_CARD, ask, expected_cw, running
from proxy import Proxy, Way
from virtual import Clock, live_through

from cccamd.facts import SourceStatus
from cccamd.server import Server
from cccamd.values import Refusal

NOTICED_WITHIN = 32.0
"""Seconds of a connection that does nothing: what a link waits for a seed, and more."""
BACK_WITHIN = 65.0
"""Seconds: the longest pause between two attempts, and a login."""

PROBED_WITHIN = 7.0
"""Seconds until a source that was given up is asked again."""


def status(server: Server) -> SourceStatus:
    (source,) = server.snapshot().sources
    return source


async def until(clock: Clock, reached: Callable[[], bool], within: float) -> float:
    began = clock.now()
    while not reached():
        assert clock.now() - began < within
        await asyncio.sleep(0.25)
    return clock.now() - began


def test_an_upstream_that_falls_silent_at_any_byte_is_noticed_and_comes_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cccamd")

    async def test(clock: Clock) -> None:
        async with AsyncExitStack() as stack:
            upper = await stack.enter_async_context(running("F: me secret", TEST_CARD))
            proxy = await stack.enter_async_context(Proxy(upper.port).open())
            line = f"F: anna secret\nC: {HOST} {proxy.port} me secret"
            lower = await stack.enter_async_context(running(line, ""))
            server = lower.server
            clock.fly()
            await until(clock, lambda: status(server).cards > 0, BACK_WITHIN)
            whole = proxy.passed
            for silent_after, words in phases(whole):
                caplog.clear()
                proxy.way = Way(silent_after=silent_after)
                proxy.reset()
                await asyncio.sleep(1.0)
                noticed_by = clock.now() + BACK_WITHIN + NOTICED_WITHIN
                async with lower.client() as client:
                    while words not in caplog.text:
                        began = clock.now()
                        answer = await ask(client, b"\x80%d" % int(4 * began))
                        assert answer in (Refusal.PASSING, Refusal.CANNOT_DECODE), silent_after
                        assert clock.now() - began < 6.0, "before a receiver gives up"
                        assert clock.now() < noticed_by, words
                        await asyncio.sleep(4.0)
                # Whoever started it anew: the old connection ends, and the new one talks.
                proxy.way = Way()
                proxy.reset()
                await until(clock, lambda: status(server).cards > 0, BACK_WITHIN)
                async with lower.client() as client:
                    await client.wait_until(lambda: bool(client.cards), timeout=5.0)
                    ecm = b"\x80back%d" % silent_after
                    until_at = clock.now() + PROBED_WITHIN
                    while await ask(client, ecm) != expected_cw(ecm):
                        assert clock.now() < until_at, silent_after
                        await asyncio.sleep(0.5)
                assert len([each for each in caplog.records if each.levelno > logging.INFO]) < 12

    live_through(test, monkeypatch)


def phases(whole: int) -> Iterator[tuple[int, str]]:
    """After how many bytes of the server there is silence, and what is said of it."""
    yield 0, "no seed came within the time"
    yield 8, "what answers there is no CCcam server (its first bytes are"
    yield 16, "the server did not answer the login in time"
    yield 25, "the server did not answer the login in time"
    for length in range(36, whole - 60, 60):
        yield length, "the server took the login and then did not say who it is"
    yield whole - 30, "it announces no cards to us"
    yield whole, "is logged in and answers nothing that it is asked"
