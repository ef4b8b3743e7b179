"""Fleets of whole servers in virtual time (docs/simulation.md)."""

from pathlib import Path

import pytest
from simfleet import live_through_fleet

HERE = Path(__file__).parent
KEPT = [
    line.split()[0]
    for line in (HERE / "fleetseeds.txt").read_text().splitlines()
    if line and not line.startswith(("#", " "))
]


@pytest.mark.pure_only("overhears compiled objects in place of their methods")
@pytest.mark.parametrize("seed", KEPT)
def test_nothing_that_must_hold_is_broken(seed: str) -> None:
    result = live_through_fleet(seed)
    assert result.violation is None, result.violation
    assert result.answers > 5
    assert result.commands > 100
