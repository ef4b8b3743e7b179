"""A fleet of real servers around a real engine that is far away, killed, hung and cut off."""

import json
import os
import sys
from pathlib import Path

import pytest
from fleetground import why_no_machines
from fleetscene import NODES

from redisengine import needs_redis
from shells import run_shell

pytest.importorskip("hiredis")
pytestmark = [pytest.mark.processes, needs_redis]
HERE = Path(__file__).parent


def test_whatever_befalls_engine_and_nodes_every_client_is_answered(tmp_path: Path) -> None:
    """Each on a machine of its own, with cables that are pulled and packets that are lost; on the
    loopback interface where there can be none."""
    places = map(str, (HERE, HERE.parent / "server", HERE.parent))
    done = run_shell(
        [sys.executable, str(HERE / "fleetlives.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        seconds=280.0,
    )
    assert not done.returncode, done.stderr[-4000:]
    told = json.loads(done.stdout)
    assert told["on_machines"] == (not why_no_machines())
    for what, answered, asked, ecms, at_card in told["rows"]:
        assert answered == asked > 0, what
        assert at_card <= len(NODES) * ecms, what
    # However busy the machine is: together they ask less than each for itself.
    _, _, _, ecms, at_card = told["rows"][0]
    assert at_card < len(NODES) * ecms
