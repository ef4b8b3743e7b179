"""What ends is freed at once: nothing of ours waits for Python to look for it."""

import asyncio
import gc
import os
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest
from laboratory import Laboratory, ask, cards_of, running

from cccamd.lab.ports import free_port
from cccamd.net import ConnectError
from cccamd.net.dial import dial
from cccamd.server import garbage
from cccamd.server.garbage import (
    FEW,
    LEAST_GROWTH,
    MANY,
    SOME,
    YOUNG,
    Held,
    Sweeper,
    begin,
    is_due,
)
from cccamd.setup.setup import load_setup


async def live(lab: Laboratory) -> None:
    """What clients do all day."""
    async with lab.client() as client:
        await cards_of(client)
        for _ in range(5):
            await ask(client, b"\x80" + os.urandom(60))
        try:
            async with lab.client(password="wrong"):
                raise AssertionError
        except ConnectError:
            pass
    await asyncio.sleep(0.02)


async def test_logins_requests_and_refusals_leave_no_circle() -> None:
    async with running() as lab:
        await live(lab)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(3):
                await live(lab)
            gc.collect()
            left = Counter(type(found).__qualname__ for found in gc.garbage if _is_ours(found))
            transports = [found for found in gc.garbage if isinstance(found, asyncio.Transport)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert not left
    assert not transports


@contextmanager
def circles() -> Iterator[list[object]]:
    """What is left to the collector meanwhile; its list is there at the end."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def test_questions_to_a_source_leave_no_circle() -> None:
    cfg = "C: 127.0.0.1 {} anna secret\nF: anna secret"
    async with (
        running() as far,
        running(cfg.format(far.port), toml="") as near,
        near.client() as client,
    ):
        await cards_of(client)
        await ask(client, b"\x80first")
        with circles() as found:
            for number in range(5):
                await ask(client, b"\x80" + bytes([number]) * 60)
            await asyncio.sleep(0.02)
        assert not list(filter(_is_ours, found))


async def test_a_server_that_cannot_be_reached_leaves_no_circle() -> None:
    port = free_port()
    with circles() as found:
        for _ in range(2):
            with pytest.raises(ConnectError):
                await dial("127.0.0.1", port, asyncio.Protocol)
    assert not [each for each in found if isinstance(each, ConnectError | FrameType)]


def test_files_that_are_read_leave_no_circle(tmp_path: Path) -> None:
    """Where the usual files of names are missing, as here."""
    config = tmp_path / "CCcam.cfg"
    config.write_text("F: anna secret { 0:0:1,x }\n")
    load_setup(config, None)
    with circles() as found:
        load_setup(config, None)
    assert not found


def _is_ours(found: object) -> bool:
    return type(found).__module__.startswith("cccamd.")


@pytest.fixture(scope="module")
def begun() -> Iterator[None]:
    """As after the start of a server. What was there stays put aside: looks of later tests, too,
    take the less time."""
    thresholds = gc.get_threshold()
    begin()
    yield
    gc.set_threshold(*thresholds)


class Circle:
    """Holds itself."""

    def __init__(self) -> None:
        self.itself = self
        self.pieces = [(number, str(number)) for number in range(1000)]


def test_few_are_looked_at_often_and_many_seldom() -> None:
    nothing = Held(50_000_000, 0)
    assert not is_due(Held(50_000_000, SOME - 1), nothing)
    assert is_due(Held(50_000_000, SOME), nothing)
    crowd = Held(200_000_000, 600_000)
    assert not is_due(Held(200_000_000, crowd.pieces + MANY - 1), crowd)
    assert is_due(Held(200_000_000, crowd.pieces + MANY), crowd)
    throng = Held(1_000_000_000, 4_000_000)
    assert not is_due(Held(1_000_000_000, throng.pieces + MANY), throng)
    assert is_due(Held(1_000_000_000, throng.pieces * 3 // 2), throng)


def test_large_pieces_count_by_their_bytes() -> None:
    small, large = Held(50_000_000, FEW + 1), Held(1_000_000_000, FEW + 1)
    assert not is_due(replace(small, resident=small.resident + LEAST_GROWTH - 1), small)
    assert is_due(replace(small, resident=small.resident + LEAST_GROWTH), small)
    assert not is_due(replace(large, resident=large.resident + LEAST_GROWTH), large)
    assert is_due(replace(large, resident=large.resident * 3 // 2), large)


@pytest.mark.usefixtures("begun")
async def test_a_process_that_gives_no_memory_back_is_swept_again_and_again() -> None:
    """Circles that come all day take no more room than those of one interval."""
    gc.disable()
    try:
        sweeper, most = Sweeper(lambda: True), 0
        for _ in range(20):
            for _ in range(3):
                Circle()
            if is_due(sweeper.held(), sweeper.last):
                await sweeper.sweep()
            most = max(most, sweeper.held().pieces)
    finally:
        gc.enable()
    assert most < FEW


@pytest.mark.usefixtures("begun")
async def test_what_comes_in_a_crowd_is_put_aside_in_portions_and_looked_at_later() -> None:
    """So a look goes through few of them, and no circle of them stays for ever."""
    sweeper = Sweeper(lambda: True)
    running = asyncio.get_running_loop().create_task(sweeper.run())
    await asyncio.sleep(0)
    try:
        aside, circle, crowd = gc.get_freeze_count(), Circle(), []
        for _ in range(40):
            crowd += [[number] for number in range(5 * YOUNG)]
            await asyncio.sleep(0)
        assert gc.get_freeze_count() > aside + 90_000
        assert not gc.get_objects(generation=2), "nothing is looked at a third time"
        gone = weakref.ref(circle)
        del circle
        gc.collect()
        assert gone() is not None, "it is aside"
        await sweeper.sweep()
        assert gone() is None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert len(crowd) == 200 * YOUNG


def test_what_the_command_line_put_aside_is_looked_at_once_more_at_the_start() -> None:
    """Each class with slots is made of another, which nobody needs from then on."""
    thresholds = gc.get_threshold()
    circle = Circle()
    gone = weakref.ref(circle)
    gc.freeze()
    del circle
    gc.collect()
    assert gone() is not None, "it is aside"
    begin()
    gc.set_threshold(*thresholds)
    assert gone() is None


@pytest.mark.usefixtures("begun")
async def test_what_is_garbage_already_is_not_put_aside() -> None:
    sweeper, circle = Sweeper(lambda: True), Circle()
    gone = weakref.ref(circle)
    running = asyncio.get_running_loop().create_task(sweeper.run())
    await asyncio.sleep(0)
    try:
        aside = gc.get_freeze_count()
        del circle
        young = [[number] for number in range(5 * YOUNG)]
        assert gc.get_freeze_count() > aside
        assert gone() is None
        assert len(young) == 5 * YOUNG
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.usefixtures("begun")
async def test_circles_do_not_wait_until_there_are_half_as_many_pieces_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As they did in every server whose pages somebody had looked at: those are many pieces."""
    monkeypatch.setattr(garbage, "LOOK_INTERVAL", 0.01)
    sweeper = Sweeper(lambda: True)
    crowd = [[number] for number in range(2 * FEW)]
    sweeper._aside_since = garbage.monotonic()
    gc.freeze()
    running = asyncio.get_running_loop().create_task(sweeper.run())
    try:
        circle = Circle()
        gone = weakref.ref(circle)
        del circle
        later = [bytes(number) for number in range(SOME)]  # which are nothing to the collector
        async with asyncio.timeout(10.0):
            while gone() is not None:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert len(crowd) + len(later) == 2 * FEW + SOME
