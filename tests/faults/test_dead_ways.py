"""Connections that die without a word: a router that starts anew, an address that changes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shells import run_shell

LOGIN_WITHIN = 10.0
"""Seconds: what was seen is two; the rest is for a machine that is busy."""
BACK_WITHIN = 65.0
NEEDED = ("bash", "ip", "nft", "unshare", "nsenter")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
HERE = Path(__file__).parent
NEIGHBOUR = """
set -e
ip link set lo up
unshare -n sleep 300 & box=$!
trap 'kill $box' EXIT
while [ "$(readlink /proc/$box/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.02; done
ip link add house type veth peer name box netns $box
ip address add 192.168.7.2/24 dev house
ip link set house up
in_box() { nsenter -t $box -n "$@"; }
in_box ip link set lo up
in_box ip address add 192.168.7.9/24 dev box
in_box ip link set box up
"""
"""Another machine in the same network, which `in_box` gives orders to."""
SCENE = NEIGHBOUR + '"$1" "$2" "$3" $box "$4"\n'


def _why_not() -> str:
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if missing := [name for name in NEEDED if shutil.which(name, path=PATH) is None]:
        return f"not installed: {', '.join(missing)}"
    done = subprocess.run(
        ["unshare", "-rn", "nft", "list", "tables"], capture_output=True, check=False
    )
    return "namespaces are not allowed here" if done.returncode else ""


WHY_NOT = _why_not()
pytestmark = [pytest.mark.processes, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]


def live_through(fault: str, folder: Path) -> Any:
    return in_namespaces(SCENE, [sys.executable, str(HERE / "deadways.py"), str(folder), fault])


def in_namespaces(scene: str, words: list[str]) -> Any:
    """Build a scene and run a program in it, which prints JSON."""
    done = run_shell(
        ["unshare", "-rn", "bash", "-c", scene, "bash", *words],
        env={
            **os.environ,
            "PATH": f"{PATH}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(map(str, (HERE.parent / "server", HERE.parent))),
        },
        seconds=280.0,
    )
    assert not done.returncode, done.stderr[-4000:]
    return json.loads(done.stdout)


def check(told: Any) -> None:
    within = told["within"]
    assert within["login"] < LOGIN_WITHIN
    assert within["page"] < LOGIN_WITHIN
    assert within["CW"] < BACK_WITHIN
    assert "takes the place of" in told["said"]
    assert {"source silent", "source down"} & set(told["incidents"])
    assert not {"source silent", "source down"} & set(told["wrong"])
    assert "Traceback" not in told["said"]


def test_a_router_that_starts_anew_forgets_all_connections(tmp_path: Path) -> None:
    check(live_through("router_restarts", tmp_path))


def test_a_machine_whose_own_address_changes_is_reached_at_the_new_one(tmp_path: Path) -> None:
    check(live_through("address_changes", tmp_path))
