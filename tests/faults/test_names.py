"""Name servers that are gone, and names that lead to another address."""

import asyncio
import logging

import pytest
from faultscene import BACK_WITHIN, Scene, live
from laboratory import ask, expected_cw
from names import NAME, Names
from proxy import Proxy, Way

from cccamd.facts import LinkState


def test_a_name_server_that_is_gone_costs_no_link_that_stands(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, names: Names
) -> None:
    caplog.set_level(logging.INFO, "cccamd")

    async def act(scene: Scene) -> None:
        names.address = None
        async with scene.client() as client:
            await asyncio.sleep(120.0)
            await scene.picture(client)
            scene.upper.reset()
            await scene.until(lambda: "no name server can be asked" in caplog.text)
            began = scene.clock.now()
            assert await ask(client, b"\x80nobody") != expected_cw(b"\x80nobody")
            assert scene.clock.now() - began < 1.0, "nobody waits for what is not there"
        await asyncio.sleep(300.0)
        names.address = "127.0.0.1"
        assert await scene.back() < BACK_WITHIN

    live(act, monkeypatch, NAME)
    told = [each for each in caplog.messages if "no name server can be asked" in each]
    assert len(told) <= 4, "said once, and again when it lasts"


def test_an_upstream_that_moves_is_found_at_its_new_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, names: Names
) -> None:
    async def act(scene: Scene) -> None:
        caplog.set_level(logging.INFO, "cccamd")
        port = scene.upper.port
        async with Proxy(scene.upper.target, port=port, host="127.0.0.7").open() as moved:
            names.address = "127.0.0.7"
            scene.upper.way = Way(dead=True)
            scene.upper.reset()
            assert await scene.back() < BACK_WITHIN
            assert scene.source.state is LinkState.UP
            assert moved.passed > 0
            # And back, while the new one goes on: nothing is torn down for a name.
            names.address = "127.0.0.1"
            await asyncio.sleep(120.0)
            async with scene.client() as client:
                await scene.picture(client)

    live(act, monkeypatch, NAME)
