"""Fleets of whole servers in virtual time (docs/simulation.md)."""

import pytest
from simfleet import live_through_fleet


@pytest.mark.pure_only("overhears compiled objects in place of their methods")
@pytest.mark.parametrize("seed", ["3f", "2f", "64f"])
def test_nothing_that_must_hold_is_broken(seed: str) -> None:
    result = live_through_fleet(seed)
    assert result.violation is None, result.violation
    assert result.answers > 5
    assert result.commands > 100
