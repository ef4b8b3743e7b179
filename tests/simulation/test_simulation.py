"""Whole servers in virtual time: nothing that must hold is ever broken (docs/simulation.md)."""

import subprocess
import sys
from pathlib import Path

import pytest
from seeds import kept
from simmutants import MUTANTS
from simplan import happenings
from simworld import live_through, shrink

HERE = Path(__file__).parent
KEPT = kept("seeds.txt")
FOUND_BY = {
    "answers twice": "4++",
    "forgets a waiter": "56++",
    "misses deadlines": "74++",
    "leaks flights": "3++",
    "leaks places": "2++",
    "one cache for all": "4++",
    "ignores hops": "0++",
    "believes everything": "10++",
    "keeps lost cards": "10++",
    "forgets the refused": "2++",
    "keeps old rights": "4++",
    "keeps old rights for who waits": "37++",
    "believes the contradicted": "276",
    "has no priorities": "5++",
    "bans nobody": "16++",
    "forgets its new port": "7++",
    "miscounts cards": "3++",
    "tears a look": "36++",
    "mixes up newcamd answers": "25++",
    "brings cards near": "1++",
    "shows TV to the disabled": "13++",
    "keeps the rights of TV": "31++",
    "leaks services": "10++",
    "mixes up services": "8++",
    "takes any key": "6++",
    "logs in at any key": "101++",
    "waits for handshakes": "35++",
    "keeps the unpaired": "28++",
    "needs no key": "39++",
    "sends nobody away": "1++",
    "asks paused links": "28++",
    "resumes no link": "2++",
    "keeps the disabled": "24++",
    "forgives nobody": "23++",
    "raises": "2++",
    "raises in a decision": "8++",
}
"""A seed that fails when the server has that fault; update it when the test becomes slow."""


@pytest.mark.parametrize("seed", KEPT)
def test_a_seed_that_found_something(seed: str) -> None:
    result = live_through(seed)
    assert result.violation is None, result.violation


def test_more_seeds() -> None:
    """A few: `make simulate` runs a thousand, or hours of them."""
    answers = 0
    for number in range(12):
        result = live_through(f"{number}++")
        assert result.violation is None, f"seed {number}++: {result.violation}"
        answers += result.answers
    assert answers > 250


@pytest.mark.pure_only("puts faults in place of compiled methods")
@pytest.mark.parametrize("fault", MUTANTS)
def test_each_fault_put_in_on_purpose_is_found(fault: str) -> None:
    """Should the seed not show it any more, because the server does things in another order, one
    of those after it has to."""
    others = (f"{number}++" for number in range(1000, 1100))
    for seed in (FOUND_BY[fault], *others):
        with MUTANTS[fault]():
            if live_through(seed).violation is not None:
                return
    raise AssertionError("nothing noticed")


def test_a_seed_gives_the_same_run_to_the_byte_also_in_another_process() -> None:
    first, again = live_through("7++"), live_through("7++")
    assert first.trace == again.trace
    assert live_through("8++").trace != first.trace
    program = "from simworld import live_through; print(live_through('7++').trace)"
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(HERE), "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == first.trace


def test_what_does_not_matter_is_left_out_of_a_run_that_fails() -> None:
    with MUTANTS["leaks places"]():  # which is not compiled
        left_out = shrink("2++", tries=6)
    assert left_out
    assert len(left_out) <= len(happenings("2++"))
