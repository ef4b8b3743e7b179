"""Fleets of whole servers in virtual time (docs/simulation.md)."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from seeds import kept
from simcast import ecm_of
from simfleet import FleetWorld, live_through_fleet, shrink_fleet
from simfleetcast import SERVICES, desk_of
from simfleetmutants import MUTANTS

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.values import Request

HERE = Path(__file__).parent
KEPT = kept("fleetseeds.txt")


FOUND_BY = {
    "claims nothing": "1ff",
    "waits for nobody": "1ff",
    "claims under its own name": "1ff",
    "tells nothing": "12fff",
    "listens to nothing": "27fff",
    "asks beside what is ordered": "113ff",
    "misses no list": "15ff",
    "answers twice": "0ff",
    "waits without end": "1005fff",
    "does not notice that the engine is away": "0ff",
    "loses what it holds": "0ff",
    "believes everything": "502ff",
    "tells what it doubts": "58ff",
    "tells before it looks": "2ff",
    "mixes up ECMs": "1ff",
    "lets everybody in": "7fff",
    "keeps no lease up": "20fff",
    "claims no seat again": "7fff",
    "keeps the seats of the gone": "0ff",
    "keeps orders": "1ff",
    "keeps asks": "0ff",
    "hears of no failures": "3ff",
    "hears of no pardon": "0ff",
    "takes any key": "1ff",
    "keeps EMMs to itself": "2fff",
    "passes each EMM of a node": "7fff",
    "keeps its files": "2ff",
}
"""A seed that fails when nodes have that fault; update it when the test becomes slow."""


BACK_WITHIN = 5.5
"""Seconds: the pause between two attempts, and the call."""
OVERHEARD = pytest.mark.pure_only("overhears compiled objects in place of their methods")


@OVERHEARD
@pytest.mark.parametrize("seed", KEPT)
def test_a_seed_that_found_something(seed: str) -> None:
    result = live_through_fleet(seed)
    assert result.violation is None, result.violation
    assert result.answers > 5
    assert result.commands > 100


@OVERHEARD
def test_more_seeds() -> None:
    """A few: `make simulate ARGS=--fleet` runs two hundred."""
    answers = 0
    for number in range(5):
        result = live_through_fleet(f"{number}fff")
        assert result.violation is None, f"seed {number}fff: {result.violation}"
        answers += result.answers
    assert answers > 250


@OVERHEARD
@pytest.mark.parametrize("fault", MUTANTS)
def test_each_fault_put_in_on_purpose_is_found(fault: str) -> None:
    """Should the seed not show it any more, because nodes do things in another order, one of those
    after it has to."""
    others = (f"{number}fff" for number in range(1000, 1100))
    for seed in (FOUND_BY[fault], *others):
        with MUTANTS[fault]():
            if live_through_fleet(seed).violation is not None:
                return
    raise AssertionError("nothing noticed")


class LongOutage(FleetWorld):
    """An engine is away for two minutes, and nothing else happens."""

    late: list[str]

    async def _live(self) -> None:
        for node in self.nodes:
            await node.start()
        await asyncio.sleep(3.0)
        self.engines[0].die()
        await asyncio.sleep(120.0)
        self.engines[0].rise()
        await asyncio.sleep(BACK_WITHIN)
        desks = [(node.name, desk_of(node.server)) for node in self.nodes]
        self.late = [name for name, desk in desks if desk is None or not desk.is_up]
        self.is_over = True
        for node in self.nodes:
            await node.stop()


@OVERHEARD
def test_an_engine_that_was_away_for_long_is_found_again_within_seconds() -> None:
    """What an account may be in twice, and ECMs are asked twice, hangs on that pause."""
    for number in range(3):
        world = LongOutage(f"{number}fff")
        assert world.run().violation is None
        assert world.late == []


class SilentCard(FleetWorld):
    """The only card says nothing until its links are made anew; the engine is well."""

    has_one: list[list[bool]]

    async def _live(self) -> None:
        for node in self.nodes:
            await node.start()
        self.cards[0].mood, viewer = "silent", self.viewers[0]
        viewer.connect()
        await asyncio.sleep(3.0)
        self.has_one = [self._look_at_all()]
        viewer.ask_for(0, self.period())
        await asyncio.sleep(0.1)
        self.has_one.append(self._look_at_all())
        self.cards[0].mood = "right"
        await asyncio.sleep(0.1)
        self.has_one.append(self._look_at_all())
        self.cards[0].die()
        self.cards[0].rise()
        await asyncio.sleep(5.0)
        self.has_one.append(self._look_at_all())
        self.is_over = True
        for node in self.nodes:
            await node.stop()

    def _look_at_all(self) -> list[bool]:
        caid, ident, sid = SERVICES[1]
        section = ecm_of(1, self.period())
        request = Request(Caid(caid), Ident(ident), ShareId(0), Sid(sid), section)
        return [node.has_one_to_ask(request) for node in self.nodes]


@OVERHEARD
def test_a_link_that_waits_in_vain_is_known_at_once_to_the_books() -> None:
    """In 11139fff it had waited for 0.9 s when a viewer asked. Another node's link does not wait;
    that the card is right again is of no use to what it was asked before."""
    world = SilentCard("4fff")
    assert world.run().violation is None
    assert world.has_one == [[True, True], [False, True], [False, True], [True, True]]


@OVERHEARD
def test_what_does_not_matter_is_left_out_of_a_run_that_fails() -> None:
    with MUTANTS["keeps asks"]():
        left_out = shrink_fleet("0ff", tries=3)
    assert left_out == [0, 1, 2]


@OVERHEARD
def test_a_seed_gives_the_same_run_to_the_byte_also_in_another_process() -> None:
    here = live_through_fleet("7ff").trace
    program = "from simfleet import live_through_fleet; print(live_through_fleet('7ff').trace)"
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(HERE), "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == here
