"""What is shown of a fleet: real servers around a real engine, an odd one and a missing one."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from laboratory import TEST_CARD, Laboratory, running, setup
from test_fleet_seats import folder as folder  # keys, and an engine that is tried again at once
from test_fleet_seats import is_up, node, table_of, until

from cccamd.facts import Cause, FleetStatus, NodeState
from cccamd.fleet import roll
from cccamd.server import fleetdesk, join
from cccamd.setup.cccamcfg import Config
from cccamd.watch import Symptom
from cccamd.why import find_symptoms, odd_nodes
from cccamd.why.scene import Scene
from redisengine import RedisServer, engine, needs_redis

pytest.importorskip("hiredis")
pytestmark = needs_redis


def shown(lab: Laboratory) -> FleetStatus:
    fleet = lab.server.snapshot().fleet
    assert fleet is not None
    return fleet


def states(lab: Laboratory) -> dict[str, NodeState]:
    fleet = shown(lab)
    return {each.name: each.state for each in (*fleet.nodes, *fleet.absent)}


@asynccontextmanager
async def odd_node(name: str, folder: Path, at: RedisServer) -> AsyncIterator[Laboratory]:
    """One whose accounts are not those of the others."""
    member = join(setup("F: anna secret", table_of(name, folder, at), port=1))
    async with running("F: anna other", TEST_CARD, fleet=member) as lab:
        await until(lambda: is_up(lab))
        yield lab


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed within a second."""
    for module in (roll, fleetdesk):
        monkeypatch.setattr(module, "GONE_AFTER", 1.0)
    monkeypatch.setattr(fleetdesk, "HERE_EVERY", 0.2)
    monkeypatch.setattr(fleetdesk, "LOOK_EVERY", 0.1)


async def test_the_odd_one_is_named_by_all_three(folder: Path) -> None:
    async with (
        engine(folder) as server,
        node("north", folder, server) as north,
        node("south", folder, server) as south,
        odd_node("west", folder, server) as west,
    ):
        labs = (north, south, west)
        await until(lambda: all(len(shown(lab).nodes) == 2 for lab in labs))
        usual = shown(north).config
        assert shown(west).config not in ("", usual)
        for lab in labs:
            fleet = shown(lab)
            assert (fleet.usual_config, fleet.engine_up) == (usual, True)
            assert 0.0 <= time.time() - fleet.engine_since < 60.0
            odd = odd_nodes(fleet)
            assert odd is not None
            assert odd.subject == ("node west (this one)" if lab is west else "node west")
            assert odd.text == (
                f"has another configuration: hash {shown(west).config[:8]}, the others {usual[:8]}"
            )


async def test_who_is_stopped_missing_and_back_is_shown(folder: Path, quick: None) -> None:
    async with (
        engine(folder) as server,
        node("north", folder, server) as north,
        AsyncExitStack() as others,
    ):
        async with node("south", folder, server):
            await until(lambda: states(north) == {"south": NodeState.THERE})
        await until(lambda: states(north) == {"south": NodeState.STOPPED})
        assert not symptoms(north)
        west = await others.enter_async_context(node("west", folder, server))
        await until(lambda: states(north).get("west") is NodeState.THERE)
        before = time.time()
        silence(west)
        await until(lambda: states(north).get("west") is NodeState.MISSING)
        (missing,) = (each for each in shown(north).absent if each.name == "west")
        assert before - 1.0 <= missing.heard_at <= time.time() - 0.9, "since it was heard of last"
        assert missing.config == shown(north).config
        (symptom,) = symptoms(north)
        assert (symptom.cause, symptom.subject) == (Cause.NODE_MISSING, "node west")
        assert symptom.since == pytest.approx(missing.heard_at, abs=0.01)
        speak(west)
        await until(lambda: states(north).get("west") is NodeState.THERE)
        await until(lambda: not symptoms(north))


async def test_while_the_engine_is_away_nobody_is_called_missing(folder: Path, quick: None) -> None:
    async with (
        engine(folder) as server,
        node("north", folder, server) as north,
        node("south", folder, server) as south,
    ):
        await until(lambda: states(north) == {"south": NodeState.THERE})
        there_since = shown(north).engine_since
        server.kill()
        await until(lambda: not shown(north).engine_up)
        fleet = shown(north)
        assert fleet.engine_since > there_since
        assert states(north) == {"south": NodeState.UNSEEN}
        await until(lambda: not shown(north).nodes)
        assert states(north) == {"south": NodeState.UNSEEN}
        assert not symptoms(north)
        assert shown(north).engine_since == pytest.approx(fleet.engine_since, abs=0.01)
        await server.start()
        await until(lambda: states(north) == {"south": NodeState.THERE})
        await until(lambda: states(south) == {"north": NodeState.THERE})
        assert shown(north).engine_since > fleet.engine_since
        server.kill()
        silence(south)
        await until(lambda: not shown(north).nodes)
        assert states(north) == {"south": NodeState.UNSEEN}
        await server.start()
        await until(lambda: states(north) == {"south": NodeState.MISSING})
        await until(lambda: states(south) == {"north": NodeState.THERE})


async def test_an_engine_that_swaps_values_is_named(folder: Path, quick: None) -> None:
    async with engine(folder) as server, node("north", folder, server) as north:
        desk = north.server._fleet.desk
        assert desk is not None
        assert (shown(north).unread, shown(north).unread_at) == (0, None)
        own, moved = desk._own, desk._seals.seal(desk._all, b"for all")
        before = time.time()
        server.say("SPUBLISH", b"cccamd:" + own, own + moved)
        await until(lambda: shown(north).unread_at is not None)
        assert (shown(north).unread, shown(north).engine_up) == (1, True)
        (symptom,) = symptoms(north)
        assert symptom.cause is Cause.ENGINE_FORGES
        assert symptom.since == pytest.approx(before, abs=2.0)


def symptoms(lab: Laboratory) -> list[Symptom]:
    snapshot = lab.server.snapshot()
    found = find_symptoms(Scene(at=snapshot.at, config=Config(), sources=(), fleet=snapshot.fleet))
    told = (Cause.NODE_MISSING, Cause.NODE_DIFFERS, Cause.ENGINE_FORGES)
    return [each for each in found if each.cause in told]


def silence(lab: Laboratory) -> None:
    """Have it say no more that it is there, as a node that hangs."""
    desk = lab.server._fleet.desk
    assert desk is not None
    desk._say_here = lambda **_: None  # type: ignore[method-assign]


def speak(lab: Laboratory) -> None:
    """Have it say so again."""
    desk = lab.server._fleet.desk
    assert desk is not None
    del desk._say_here


async def test_an_engine_that_is_away_is_so_for_one_reason_which_is_that_of_now(
    folder: Path,
) -> None:
    """Its loss is one reason, and that it cannot be reached another: the second is so now."""
    async with engine(folder) as server, node("north", folder, server) as north:
        assert shown(north).trouble == ""
        server.kill()
        await until(lambda: not shown(north).engine_up)
        await until(lambda: "nothing listens" in shown(north).trouble)
        (problem,) = north.server.config_state().problems
        assert problem.text.endswith(f": {shown(north).trouble}")
        await server.start()
        await until(lambda: shown(north).engine_up)
        assert shown(north).trouble == ""
        assert not north.server.config_state().problems


async def test_an_engine_that_never_was_there_has_a_reason_too(folder: Path) -> None:
    async with engine(folder) as server:
        server.kill()
        member = join(setup("F: anna secret", table_of("north", folder, server), port=1))
        async with running("F: anna secret", TEST_CARD, fleet=member) as lab:
            await until(lambda: "nothing listens" in shown(lab).trouble)
            assert not shown(lab).engine_up
