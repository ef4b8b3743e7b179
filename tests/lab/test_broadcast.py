"""A whole broadcast, with the card in this process instead of behind a server."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from cccamd.errors import CccamdError
from cccamd.ids import Caid
from cccamd.lab.demo import subscription
from cccamd.lab.demo.comparison import Seen
from cccamd.lab.demo.subscription import Renewal

CAID = Caid(0x7F00)


async def test_every_bit_comes_back(open_studio: Any, stream: bytes) -> None:
    studio = open_studio()
    await studio.broadcast.run(stream, duration=None, at=studio.at)
    assert studio.broadcast.comparison.is_identical
    assert len(studio.broadcast.answer_times) == 6
    assert (studio.broadcast.refused, studio.broadcast.failures) == (0, [])
    assert len(studio.clear.getvalue()) == len(studio.scrambled.getvalue()) > len(stream)
    assert studio.clear.getvalue() != studio.scrambled.getvalue()
    assert (studio.done[0], studio.done[-1]) == (0.0, 1.0)
    assert studio.done == sorted(studio.done)


async def test_on_air_nobody_waits_and_a_slow_card_is_quick_enough(
    open_studio: Any, stream: bytes
) -> None:
    """3 s of stream in 0.6 s: a crypto period lasts 0.1 s, an answer takes half of it."""
    studio = open_studio(delay=0.05)
    began_at = asyncio.get_running_loop().time()
    await studio.broadcast.run(stream, duration=0.6, at=studio.at)
    assert asyncio.get_running_loop().time() - began_at >= 0.5
    assert studio.broadcast.comparison.is_identical
    assert min(studio.broadcast.answer_times) >= 0.05


async def test_with_an_empty_card_everything_stays_dark(open_studio: Any, stream: bytes) -> None:
    studio = open_studio(paid=False)
    await studio.broadcast.run(stream, duration=None, at=studio.at)
    assert studio.broadcast.comparison.stretches == [Seen.DARK]
    assert studio.broadcast.refused == 6
    assert studio.clear.getvalue() == studio.scrambled.getvalue()


async def test_dark_then_an_emm_clear_then_expired_dark(
    open_studio: Any, stream_of: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "SHORTEST_VALIDITY", 0.0)
    studio = open_studio(paid=False)
    story = Renewal(studio.subscription, studio.scrambler, duration=None)
    monkeypatch.setattr("cccamd.lab.demo.broadcast.HURRIED_CHUNK", 10_000)
    await studio.broadcast.run(stream_of(6.0), duration=None, at=story.at)
    assert story.expires is not None
    assert datetime.now(UTC) >= story.expires
    comparison = studio.broadcast.comparison
    assert comparison.stretches == [Seen.DARK, Seen.CLEAR, Seen.DARK]
    assert (comparison.owed, comparison.counts[Seen.WRONG]) == (0, 0)


async def test_a_lost_connection_is_reported_and_leaves_the_rest_dark(
    open_studio: Any, stream: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object, **__: object) -> None:
        raise CccamdError("gone")

    studio = open_studio()
    monkeypatch.setattr(studio.card, "ask", lost)
    await studio.broadcast.run(stream, duration=None, at=studio.at)
    assert set(studio.broadcast.failures) == {"gone"}
    assert studio.broadcast.comparison.stretches == [Seen.DARK]


async def test_nothing_is_left_running_when_a_broadcast_breaks_off(
    open_studio: Any, stream: bytes
) -> None:
    studio = open_studio(delay=60.0)

    async def break_off(done: float) -> None:
        if done > 0.5:
            raise CccamdError("enough")

    with pytest.raises(CccamdError, match="enough"):
        await studio.broadcast.run(stream, duration=0.2, at=break_off)
    assert len(asyncio.all_tasks()) == 1
