"""What a network says for real: machines of our own in network namespaces, as small as can be.

Each is gone with its last process, and nothing can leave it.
"""

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

NEEDED = ("ip", "nft", "unshare", "nsenter", "mount")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def _why_not() -> str:
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if missing := [name for name in NEEDED if shutil.which(name, path=PATH) is None]:
        return f"not installed: {', '.join(missing)}"
    done = subprocess.run(
        ["unshare", "-rnm", "sh", "-c", "nft list tables && mount --bind /etc/hosts /etc/hosts"],
        capture_output=True,
        check=False,
    )
    return "namespaces are not allowed here" if done.returncode else ""


WHY_NOT = _why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

HOUSE = """
set -e
ip link set lo up
unshare -n sleep 60 & box=$!
while [ "$(readlink /proc/$box/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.02; done
trap "kill $box" EXIT
ip link add house type veth peer name box netns $box
ip address add 192.168.7.2/24 dev house
ip -6 address add fd00:7::2/64 dev house nodad
ip link set house up
in_box() { nsenter -t $box -n "$@"; }
in_box ip link set lo up
in_box ip address add 192.168.7.9/24 dev box
in_box ip address add 10.99.0.1/24 dev lo
in_box ip -6 address add fd00:7::9/64 dev box nodad
in_box ip link set box up
in_box sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0
sysctl -qw net.ipv4.neigh.house.retrans_time_ms=20
in_box nft add table inet wall
in_box nft add chain inet wall in '{ type filter hook input priority 0; }'
in_box nft add chain inet wall on '{ type filter hook forward priority 0; }'
"""


def run(script: str, program: str, *words: str) -> Any:
    """Build the house and the box, then run a Python program in the house; it prints JSON."""
    commands = f'{HOUSE}{script}\n"$PYTHON" -c "$PROGRAM" "$@"'
    done = subprocess.run(
        ["unshare", "-rnm", "sh", "-c", commands, "sh", *words],
        env={**os.environ, "PYTHON": sys.executable, "PROGRAM": program},
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


DIAL = """
import asyncio, json, sys
from cccamd.net import ConnectError, connect, resolve

async def main():
    told = {}
    for place in sys.argv[1:]:
        host, _, port = place.rpartition("/")
        try:
            sock = await connect(
                await resolve(host, timeout=5.0), host=host, port=int(port), patience=1.5
            )
            sock.close()
            told[place] = ["UP", ""]
        except ConnectError as error:
            told[place] = [error.step.name, error.detail]
    print(json.dumps(told))

asyncio.run(main())
"""
RULES = """
reject() { in_box nft add rule inet wall in tcp dport $1 reject $2; }
reject 1001
reject 1002 "with icmpx type admin-prohibited"
reject 1003 "with icmp type host-prohibited"
reject 1004 "with icmp type net-prohibited"
reject 1005 "with tcp reset"
in_box nft add rule inet wall in tcp dport 1006 drop
in_box nft add rule inet wall on ip daddr 10.98.0.5 reject with icmp type admin-prohibited
in_box ip route add 10.98.0.5 dev box
in_box ip route add unreachable 10.98.0.6
ip route add 10.98.0.0/16 via 192.168.7.9
ip route add 10.97.0.0/16 via 192.168.7.9
ip route add prohibit 10.96.0.1
ip route add unreachable 10.96.0.2
nft add table inet own
nft add chain inet own out '{ type filter hook output priority 0; }'
nft add rule inet own out tcp dport 1007 reject with icmpx type admin-prohibited
"""


def test_each_way_not_to_get_a_connection_has_its_own_cause() -> None:
    expected = {
        "192.168.7.9/1000": ("REFUSED", "nothing listens on port 1000"),
        "192.168.7.9/1001": ("FORBIDDEN", "the firewall of that machine rejects"),
        "192.168.7.9/1002": ("FORBIDDEN", "the firewall of that machine rejects"),
        "192.168.7.9/1003": ("FORBIDDEN", "the firewall of that machine rejects"),
        "192.168.7.9/1004": ("FORBIDDEN", "the firewall of that machine rejects"),
        "192.168.7.9/1005": ("REFUSED", "nothing listens on port 1005"),
        "192.168.7.9/1006": ("CONNECT_TIMEOUT", "it is off, or a firewall drops port 1006"),
        "192.168.7.9/1007": ("FORBIDDEN", "the firewall of this machine"),
        "fd00:7::9/1000": ("REFUSED", "nothing listens on port 1000"),
        "fd00:7::9/1001": ("FORBIDDEN", "the firewall of that machine rejects"),
        "fd00:7::9/1002": ("FORBIDDEN", "the firewall of that machine rejects"),
        "192.168.7.77/1000": ("ABSENT", "nobody in this network answers to 192.168.7.77"),
        "10.98.0.5/1000": ("FORBIDDEN", "a firewall on the way (192.168.7.9)"),
        "10.98.0.6/1000": ("UNREACHABLE", "the router 192.168.7.9 gets no answer"),
        "10.97.0.1/1000": ("UNREACHABLE", "the router 192.168.7.9 knows no way"),
        "10.96.0.1/1000": ("ROUTE", "this machine knows no way"),
        "10.96.0.2/1000": ("ROUTE", "this machine knows no way"),
        "203.0.113.1/1000": ("ROUTE", "this machine knows no way"),
        "2001:db8::1/1000": ("ROUTE", "this machine knows no way"),
    }
    told = run(RULES, DIAL, *expected)
    assert {place: step for place, (step, _) in told.items()} == {
        place: step for place, (step, _) in expected.items()
    }
    for place, (_, words) in expected.items():
        assert words in told[place][1]
