"""Whole servers in virtual time: nothing that must hold is ever broken (docs/simulation.md)."""

import subprocess
import sys
from pathlib import Path

import pytest
from simmutants import MUTANTS
from simworld import happenings, live_through, shrink

HERE = Path(__file__).parent
KEPT = [
    line.split()[0]
    for line in (HERE / "seeds.txt").read_text().splitlines()
    if line and not line.startswith(("#", " "))
]
FOUND_BY = {
    "answers twice": "1000",
    "forgets a waiter": "1013",
    "misses deadlines": "1002",
    "leaks flights": "1000",
    "leaks places": "1000",
    "one cache for all": "1001",
    "ignores hops": "1000",
    "believes everything": "1001",
    "keeps lost cards": "1002",
    "forgets the refused": "1000",
    "keeps old rights": "1000",
    "keeps old rights for who waits": "97",
    "believes the contradicted": "276",
    "has no priorities": "1002",
    "bans nobody": "97+",
    "forgets its new port": "1001+",
    "miscounts cards": "97+",
    "tears a look": "1000+",
    "raises": "1000",
    "raises in a decision": "1000",
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
        result = live_through(f"{number}+")
        assert result.violation is None, f"seed {number}+: {result.violation}"
        answers += result.answers
    assert answers > 700


@pytest.mark.pure_only("puts faults in place of compiled methods")
@pytest.mark.parametrize("fault", MUTANTS)
def test_each_fault_put_in_on_purpose_is_found(fault: str) -> None:
    """Should the seed not show it any more, because the server does things in another order, one
    of thirty has to."""
    others = (f"{number}{kind}" for number in range(1000, 1030) for kind in ("", "+"))
    for seed in (FOUND_BY[fault], *others):
        with MUTANTS[fault]():
            if live_through(seed).violation is not None:
                return
    raise AssertionError("nothing noticed")


def test_a_seed_gives_the_same_run_to_the_byte_also_in_another_process() -> None:
    first, again = live_through("7"), live_through("7")
    assert first.trace == again.trace
    assert live_through("8").trace != first.trace
    program = "from simworld import live_through; print(live_through('7').trace)"
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
        left_out = shrink("1000", tries=6)
    assert left_out
    assert len(left_out) <= len(happenings("1000"))
