"""A fleet of real servers around a real engine that is far away, killed, hung and cut off."""

from pathlib import Path

import pytest
from fleetscene import NODES, fleet, live_through

from redisengine import needs_redis

pytest.importorskip("hiredis")
pytestmark = [pytest.mark.processes, needs_redis]


async def test_whatever_befalls_engine_and_nodes_every_client_is_answered(tmp_path: Path) -> None:
    async with fleet(tmp_path, services=3) as scene:
        rows = [row async for row in live_through(scene, seconds=1.0)]
    for what, seen in rows:
        assert len(seen.waits) == seen.asked > 0, what
        assert seen.at_card <= len(NODES) * seen.ecms, what
    # However busy the machine is: together they ask less than each for itself.
    assert rows[0].seen.at_card < len(NODES) * rows[0].seen.ecms
