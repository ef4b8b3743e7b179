"""Clocks that jump, machines that stand still or sleep, and ways that are slow, lossy or cut."""

import asyncio
import logging
from collections.abc import Sequence

import pytest
from faultscene import BACK_WITHIN, RECEIVER_GIVES_UP, Scene, live
from laboratory import ask, expected_cw
from proxy import Way

from cccamd.facts import Cause

DAY = 86_400.0
OVER_WITHIN = 600.0
"""Seconds after which another jump of the clock is another incident."""


@pytest.mark.parametrize(
    ("jump", "words"),
    [
        (100 * DAY, ("was set forward by", "was set back by")),
        (-100 * DAY, ("was set back by", "was set forward by")),
        (-50 * 365 * DAY, ("was never set",)),  # and it is good news that it is set at last
    ],
    ids=["forward", "back", "to before anything"],
)
def test_a_clock_that_jumps_costs_no_picture_and_is_told(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    jump: float,
    words: Sequence[str],
) -> None:
    caplog.set_level(logging.INFO, "cccamd")

    async def act(scene: Scene) -> None:
        async with scene.client() as client:
            await scene.picture(client)
            await asyncio.sleep(31.0)
            with scene.clock.usual():  # a thread looks at the clock
                await asyncio.sleep(0.1)
            for distance in (jump, -jump):
                scene.clock.epoch += distance
                assert await scene.picture(client) < 1.0
                for _ in range(20):
                    await asyncio.sleep(2.0)
                    assert await scene.picture(client) < 1.0
                with scene.clock.usual():
                    await asyncio.sleep(0.1)
                await asyncio.sleep(3.0)
                await asyncio.sleep(OVER_WITHIN)
            assert client.closed is None
        assert {each.cause for each in scene.lower.server.incidents()} == {Cause.CLOCK_OFF}
        assert scene.source.last_failure == "", "the link stands as it stood"

    live(act, monkeypatch)
    for text in words:
        assert text in caplog.text
    assert "stands still" not in caplog.text


def test_a_process_that_was_stopped_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """SIGSTOP, a debugger, a virtual machine that was frozen: all timers are due at once."""
    caplog.set_level(logging.INFO, "cccamd")

    async def act(scene: Scene) -> None:
        for seconds in (3.0, 60.0, 3600.0):
            async with scene.client() as client:
                await scene.picture(client)
                scene.clock.flown += seconds
                await asyncio.sleep(0.5)
            assert await scene.back() < RECEIVER_GIVES_UP

    live(act, monkeypatch)
    assert "internal error" not in caplog.text


def test_a_machine_that_slept_comes_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Suspend and resume: the wall clock went on, the other one not, and connections are gone."""
    caplog.set_level(logging.INFO, "cccamd")

    async def act(scene: Scene) -> None:
        async with scene.client() as client:
            await scene.picture(client)
            scene.clock.epoch += 8 * 3600.0
            scene.upper.reset()
            scene.door.reset()
            await scene.until(lambda: client.closed is not None)
        assert await scene.back() < BACK_WITHIN

    live(act, monkeypatch)
    assert "internal error" not in caplog.text


@pytest.mark.parametrize(
    "way",
    [
        Way(delay=0.5),
        Way(piece=1),
        Way(piece=7, delay=0.01, loss=0.2),
        Way(rate=2000.0),
        Way(loss=0.3, resent=1.0),
    ],
    ids=["far", "byte by byte", "lossy pieces", "narrow", "lossy"],
)
def test_a_bad_way_makes_answers_late_and_never_wrong(
    monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    async def act(scene: Scene) -> None:
        scene.upper.way = scene.door.way = way
        scene.upper.reset()
        await scene.until(lambda: not scene.source.cards)
        await scene.until(lambda: scene.source.cards > 0, 2 * BACK_WITHIN)
        async with scene.client() as client:
            times = [await scene.picture(client) for _ in range(10)]
        assert sorted(times)[5] < RECEIVER_GIVES_UP
        scene.upper.way = scene.door.way = Way()
        async with scene.client() as client:
            await scene.picture(client)
            assert await scene.picture(client) < 1.0

    live(act, monkeypatch)


def test_a_way_that_is_cut_and_mended_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent meanwhile comes late; nobody who asked waits for it."""

    async def act(scene: Scene) -> None:
        async with scene.client() as client:
            await scene.picture(client)
            scene.upper.way = Way(dead=True)
            began = scene.clock.now()
            assert await ask(client, b"\x80lost") != expected_cw(b"\x80lost")
            assert scene.clock.now() - began < RECEIVER_GIVES_UP
            await asyncio.sleep(60.0)
            scene.upper.way = Way()
        assert await scene.back() < BACK_WITHIN

    live(act, monkeypatch)
