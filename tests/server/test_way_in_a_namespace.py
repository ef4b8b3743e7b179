"""A receiver whose cable is pulled, for real: a network of our own that is cut."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shells import run_shell

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
CUT = """
set -e
ip link set lo up
nft add table inet wall
nft add chain inet wall in '{ type filter hook input priority 0; }'
"$PYTHON" -c "$PROGRAM"
"""
HERE = Path(__file__).parent
PROGRAM = """
import asyncio, json, subprocess, sys
sys.path[:0] = {tests!r}
from laboratory import ask, cards_of, running
from cccamd.net import at_once
from cccamd.server import watching
from cccamd.watch import freezes, watches

PERIOD = 0.8
watches.SHORTEST = 0.05
watching.TICK, watching.FREEZE_TICKS, watching.WAY_TICKS = 0.05, 1, 2
freezes.PERIOD_KNOWN_BY = 0.1

async def main():
    async with running() as near, near.client() as client:
        near.server.observe(near.server._watchers.observe)
        await cards_of(client)
        began = asyncio.get_running_loop().time()
        for turn in range(4):
            await ask(client, bytes([0x80 + turn % 2]) + turn.to_bytes(4))
            await asyncio.sleep(began + (turn + 1) * PERIOD - asyncio.get_running_loop().time())
        rule = f"nft add rule inet wall in tcp sport {{near.port}} drop"
        subprocess.run(rule.split(), check=True)
        asked = asyncio.ensure_future(ask(client, bytes([0x80, 0, 0, 0, 4])))
        told = []
        async with asyncio.timeout(20):
            while not told:
                await asyncio.sleep(0.02)
                told = at_once(near.server._watchers.opening_freezes())
        asked.cancel()
        print(json.dumps([told[0].verdict.name, told[0].cause]))

asyncio.run(main())
"""


def why_not() -> str:
    needed = ("bash", "ip", "nft", "unshare")
    if missing := [name for name in needed if shutil.which(name, path=PATH) is None]:
        return f"not installed: {', '.join(missing)}"
    done = subprocess.run(
        ["unshare", "-rn", "nft", "list", "tables"], capture_output=True, check=False
    )
    return "namespaces are not allowed here" if done.returncode else ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces are Linux's")
def test_an_answer_that_gets_lost_on_the_way_is_a_freeze_of_the_network() -> None:
    if reason := why_not():
        pytest.skip(reason)
    done = run_shell(
        ["unshare", "-rn", "bash", "-c", CUT],
        env={
            **os.environ,
            "PYTHON": sys.executable,
            "PROGRAM": PROGRAM.format(tests=[str(HERE), str(HERE.parent)]),
        },
        seconds=40.0,
    )
    assert not done.returncode, done.stderr
    verdict, cause = json.loads(done.stdout)
    assert verdict == "NETWORK"
    assert cause.startswith("the CW was sent in time, and the receiver has acknowledged nothing")
