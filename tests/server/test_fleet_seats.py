"""Real servers around a real engine: one F-line is one client on all nodes, and without it too."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from laboratory import TEST_CARD, Laboratory, ask, cards_of, expected_cw, running, setup

from cccamd.fleet import engine as engine_module
from cccamd.fleet.actions import Fetch, Unwatch
from cccamd.fleet.keyfile import make_key
from cccamd.net import ConnectError
from cccamd.server import fleetdesk, fleetlists, join
from cccamd.values import Refusal
from redisengine import RedisServer, engine, needs_redis

pytest.importorskip("hiredis")
pytestmark = needs_redis


def table_of(name: str, folder: Path, at: RedisServer) -> str:
    return (
        f'[fleet]\nhost = "127.0.0.1"\nport = {at.port}\nkey_file = "{folder}/key"\n'
        f'node = "{name}"\n'
    )


@asynccontextmanager
async def node(
    name: str, folder: Path, at: RedisServer, toml: str = TEST_CARD
) -> AsyncIterator[Laboratory]:
    """One node, whose engine is there."""
    failures: list[object] = []
    made = setup("F: anna secret", table_of(name, folder, at), port=1)
    member = join(made)
    assert member is not None
    make = member.make_engine
    member = replace(
        member,
        make_engine=lambda told: make(told._replace(on_failure=lambda *it: failures.append(it))),
    )
    async with running(toml=toml, fleet=member) as lab:
        await until(lambda: is_up(lab))
        yield lab
    assert not failures


def is_up(lab: Laboratory) -> bool:
    desk = lab.server._fleet.desk
    return desk is not None and desk.is_up


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(20.0):
        while not happens():
            await asyncio.sleep(0.01)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(engine_module.Backoff, "next_delay", lambda self, random: 0.05)
    make_key(tmp_path / "key")
    return tmp_path


async def test_a_client_is_in_at_one_node_and_cws_are_everywhere(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with (
        engine(folder) as server,
        node("north", folder, server) as north,
        node("south", folder, server, toml="") as south,
    ):
        async with north.client():
            with pytest.raises(ConnectError):
                async with south.client():
                    pass
            assert "connected already (at node north of the fleet, and answers" in caplog.text
            (double,) = south.server._context.double_logins.lately(0.0)
            assert double.holders == ("node north",)
        await until(lambda: not north.server.snapshot().clients)
        async with south.client() as anna:
            assert await cards_of(anna) == [0x7F00]
            assert await ask(anna, b"\x80of the fleet") == expected_cw(b"\x80of the fleet")


async def test_without_the_engine_both_are_in_and_then_the_first(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(engine(folder))
        north = await stack.enter_async_context(node("north", folder, server))
        south = await stack.enter_async_context(node("south", folder, server))
        server.kill()
        await until(lambda: not is_up(north) and not is_up(south))
        first = await stack.enter_async_context(north.client())
        second = await stack.enter_async_context(south.client())
        await server.start()
        await until(lambda: second.closed is not None)
        assert first.closed is None
        assert "at node north of the fleet; which came first" in caplog.text
        assert await ask(first, b"\x80after") == expected_cw(b"\x80after")


async def test_the_engine_forgets_a_list_of_cards_and_who_needs_it_gets_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emptied, or out of room; without a list what its node tells is for nobody."""
    for module in (fleetdesk, fleetlists):
        monkeypatch.setattr(module, "FETCH_AGAIN", 60.0)
    async with engine(folder) as server, node("north", folder, server) as north:
        desk = north.server._fleet.desk
        assert desk is not None
        await until(lambda: desk.lists._sent_at > 0)
        assert server.say("FLUSHALL") == "+OK"
        desk.lists._sent_at = -1000.0
        async with node("south", folder, server, toml="") as south, south.client() as anna:
            assert await cards_of(anna) == [0x7F00]


async def test_a_node_that_does_not_listen_is_gone_at_once(folder: Path) -> None:
    """As one that sees another engine: an order to it would be waited for until the deadline."""
    async with (
        engine(folder) as server,
        node("north", folder, server) as north,
        node("south", folder, server, toml="") as south,
        south.client() as anna,
    ):
        assert await cards_of(anna) == [0x7F00]
        there, here = north.server._fleet.desk, south.server._fleet.desk
        assert there is not None
        assert here is not None
        there.engine.perform([Unwatch(there._own)])
        assert isinstance(await ask(anna, b"\x80of the fleet"), Refusal)
        assert here.nodes.by_name == {}


async def test_errors_of_ours_in_what_the_engine_tells_are_told_in_a_few_lines(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: object) -> None:
        heard.append(event)
        raise RuntimeError("broken")

    heard: list[object] = []
    async with engine(folder) as at:
        made = setup("F: anna secret", table_of("north", folder, at), port=1)
        async with running(toml=TEST_CARD, fleet=join(made)) as lab:
            await until(lambda: is_up(lab))
            desk = lab.server._fleet.desk
            assert desk is not None
            desk.listeners.append(fail)
            desk.engine.perform([Fetch(bytes(16))] * 200)
            await until(lambda: len(heard) >= 200)
    # Five, as of any cause within a minute; perhaps how many more there were.
    assert 0 < len([line for line in caplog.messages if "RuntimeError" in line]) <= 6


async def test_a_guesser_at_one_node_is_shut_out_at_the_other_until_he_is_pardoned(
    folder: Path,
) -> None:
    def left(lab: Laboratory) -> float:
        return lab.server._penalties.banned("127.0.0.1", asyncio.get_running_loop().time())

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(engine(folder))
        toml = f"{TEST_CARD}[penalties]\nattempts = 4\n"
        labs = [
            await stack.enter_async_context(node(name, folder, server, toml))
            for name in ("north", "south")
        ]
        north, south = labs
        for lab in labs:
            lab.server._penalties._is_near = lambda address: False
        for lab in (north, north, south, south):
            with pytest.raises(ConnectError):
                async with lab.client(password="wrong"):
                    pass
        await until(lambda: left(north) > 0.0 and left(south) > 0.0)
        with pytest.raises(ConnectError):
            async with north.client():
                pass
        server.kill()
        await until(lambda: not is_up(north) and not is_up(south))
        south.server.acts.unban("127.0.0.1", "a test")
        assert left(north) > 0.0
        assert not left(south)
        await server.start()
        await until(lambda: not left(north))
        async with north.client():
            pass
