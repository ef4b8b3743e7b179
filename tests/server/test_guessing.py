"""Guessing names and passwords at a real server: what a guesser learns, and what it costs him."""

import asyncio
import logging
import time
from contextlib import suppress

import pytest
from handshaker import Handshaker
from laboratory import TEST_CARD, Laboratory, running

FAULTY = "F: anna secret\nF: ben secret\nF: eve\n"


async def refused_after(lab: Laboratory, user: str, password: str) -> float:
    """Seconds until the close; it does not come before the proof of the password."""
    async with Handshaker.calling(lab) as caller:
        caller.prove().name(user)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await caller.closed()
        began = time.perf_counter()
        await caller.show_password(password).closed()
        return time.perf_counter() - began


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("anna", "wrong password"),
        ("nobody", "no F-line"),
        ("eve", "the F-line of this user is in error"),
    ],
)
async def test_only_the_log_tells_why_a_login_is_refused(
    caplog: pytest.LogCaptureFixture, user: str, said: str
) -> None:
    logging.getLogger("cccamd").propagate = True
    async with running(FAULTY, TEST_CARD) as lab:
        assert await refused_after(lab, user, "wrong") < 0.5
    assert f"no login: {said}" in caplog.text


async def guess(lab: Laboratory, user: str, times: int) -> None:
    async def once() -> None:
        async with Handshaker.calling(lab) as caller:
            await caller.log_in(user, "wrong").closed()

    await asyncio.gather(*(once() for _ in range(times)))


async def test_the_own_network_is_slowed_down_and_whoever_was_here_is_not() -> None:
    async with running(FAULTY, TEST_CARD) as lab:
        async with Handshaker.calling(lab) as anna:
            assert await anna.log_in().accepted()
        await guess(lab, "ben", 6)
        began = time.perf_counter()
        await guess(lab, "ben", 20)
        assert time.perf_counter() - began >= 0.5, "they wait before anything is looked at"
        async with Handshaker.calling(lab) as ben:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await ben.log_in("ben").accepted()
        async with Handshaker.calling(lab) as anna, asyncio.timeout(1.0):
            assert await anna.log_in().accepted()


async def test_who_guesses_from_outside_is_banned_at_the_door(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logging.getLogger("cccamd").propagate = True
    toml = f"{TEST_CARD}\n[penalties]\nattempts = 3\nban = 60\n"
    async with running(FAULTY, toml) as lab:
        lab.server._penalties._is_near = lambda address: False
        for _ in range(3):
            await guess(lab, "anna", 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
        with suppress(ConnectionResetError):
            assert await reader.read() == b"", "not even the seed"
        writer.close()
    assert "127.0.0.1: banned until 20" in caplog.text
    assert "127.0.0.1: not let in: too many logins from there failed" in caplog.text


async def test_who_comes_and_goes_is_never_weighed() -> None:
    async with running(FAULTY, f"{TEST_CARD}\n[penalties]\nattempts = 1\n") as lab:
        lab.server._penalties._is_near = lambda address: False
        for _ in range(5):
            async with Handshaker.calling(lab):
                pass
            async with Handshaker.calling(lab) as caller:
                caller.prove().name("anna")
        await asyncio.sleep(0.1)
        async with Handshaker.calling(lab) as caller:
            assert await caller.log_in().accepted()
