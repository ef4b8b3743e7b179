"""What penalties of a server tell other nodes, and are told: by an engine in this process."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from playedhub import Hub, PlainSeals

from cccamd.facts import Door
from cccamd.fleet import bulletins
from cccamd.fleet.actions import Hearers
from cccamd.net import FairLimits, FairPlay, Penalties, PenaltyRules, Rates, TaskSet
from cccamd.server.fleetbans import FleetBans
from cccamd.server.loglines import DoorLog

GUESSER = "203.0.113.7"
RATES = Rates(100.0, 10.0, 1000.0)


class Side:
    """One node's penalties, and what carries them."""

    def __init__(self, hub: Hub, name: str, ban: float) -> None:
        self.penalties = Penalties(PenaltyRules(ban=ban), is_near=lambda address: False)
        self.fair = FairPlay(FairLimits(account=RATES))
        self.bans = FleetBans(
            name,
            PlainSeals(),
            penalties=self.penalties,
            door_log=DoorLog(),
            fair=self.fair,
            trusts=lambda node, now: True,
            perform=lambda actions: self.engine.perform(actions),
        )
        hearers = Hearers(self.bans.handle, lambda *_: None, lambda *_: None)
        self.engine = hub.member(name).make_engine(hearers)

    def guess(self, times: int) -> None:
        for _ in range(times):
            self.penalties.failed(GUESSER, b"anna", now())

    def left(self) -> float:
        return self.penalties.banned(GUESSER, now())


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def sides(**bans: float) -> AsyncIterator[list[Side]]:
    hub, tasks = Hub(), TaskSet(on_failure=lambda *_: None)
    made = [Side(hub, name, ban) for name, ban in bans.items()]
    try:
        for side in made:
            await side.bans.start()
            tasks.start("engine", side.engine.run())
        await asyncio.sleep(0.2)
        yield made
    finally:
        for side in made:
            side.bans.close()
        await tasks.cancel()


async def until(happens: Callable[[], object]) -> None:
    async with asyncio.timeout(20.0):
        while not happens():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulletins, "TOLD_EVERY", 0.05)
    monkeypatch.setattr(bulletins, "BEAT", 0.1)


async def test_failures_of_all_make_a_ban_that_is_logged_where_it_comes_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    async with sides(north=600.0, south=60.0) as (north, south):
        north.guess(6)
        await until(lambda: south.penalties._score(GUESSER) is not None)
        north.guess(4)
        await until(south.left)
        assert north.left() == pytest.approx(600.0, abs=5.0)
        assert south.left() == pytest.approx(60.0, abs=5.0), "its own rules say how long"
        given = south.penalties._score(GUESSER)
        assert given is not None
        assert now() - 20.0 < given.at <= now(), "on its own clock"


async def test_the_ban_that_failures_elsewhere_lead_to_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with sides(north=600.0, south=600.0) as (north, south):
        south.guess(9)
        await until(lambda: north.penalties._score(GUESSER) is not None)
        caplog.clear()
        north.penalties.rules = PenaltyRules(attempts=99)
        north.guess(1)
        await until(south.left)
        assert GUESSER in caplog.text


async def test_who_logged_in_at_one_is_at_home_at_the_other() -> None:
    async with sides(north=600.0, south=600.0) as (north, south):
        north.penalties.succeeded(GUESSER, b"anna", Door.CCCAM)
        await until(lambda: list(south.penalties._homes.items()))
        south.guess(30)
        assert not south.left()


async def test_bans_that_were_kept_over_a_restart_are_told_with_their_age() -> None:
    hub, tasks = Hub(), TaskSet(on_failure=lambda *_: None)
    north, south = Side(hub, "north", 600.0), Side(hub, "south", 600.0)
    north.penalties.ban(GUESSER, 300.0, 1, now(), ago=200.0)
    for side in (north, south):
        await side.bans.start()
        tasks.start("engine", side.engine.run())
    await until(south.left)
    assert south.left() == pytest.approx(300.0, abs=5.0)
    given = south.penalties._score(GUESSER)
    assert given is not None
    assert given.at == pytest.approx(now() - 200.0, abs=5.0)
    for side in (north, south):
        side.bans.close()
    await tasks.cancel()


async def test_failures_before_a_pardon_do_not_count_whenever_they_are_heard_of() -> None:
    async with sides(north=600.0, south=600.0) as (north, south):
        await until(lambda: south.bans._bulletins._peers.get("north"))
        north.guess(9)
        south.penalties.forget(GUESSER)
        await until(lambda: not north.bans._bulletins._waiting.failed)
        await asyncio.sleep(0.1)
        assert south.penalties._score(GUESSER) is None


async def test_what_an_account_asks_at_one_node_is_deducted_at_the_other() -> None:
    async with sides(north=600.0, south=600.0) as (north, south):
        assert north.fair.spending is not None
        north.fair.spending.note(b"anna", Rates(12, 35, 400))
        await until(lambda: south.fair.spending and south.fair.spending._elsewhere)
        quota = south.fair.account(b"anna", now())
        wait = quota.spend(Rates(0, 0, 0), RATES, now())
        assert wait == pytest.approx(1.5, abs=0.5), "35 of the 20 that its bucket holds"
        assert quota.spend(Rates(0, 0, 0), RATES._replace(ecms=float("inf")), now()) == 0.0
    assert south.fair.spending is None
