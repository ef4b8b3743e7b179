"""What a network says for real: machines of our own in network namespaces, as small as can be.

Each is gone with its last process, and nothing can leave it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cccamd.wire.link import CloseReason
from shells import run_shell

NEEDED = ("bash", "ip", "nft", "unshare", "nsenter", "mount")
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
others=
trap 'kill $box $others' EXIT
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
in_box sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratemask=0
sysctl -qw net.ipv4.neigh.house.retrans_time_ms=20
in_box sysctl -qw net.ipv4.neigh.box.retrans_time_ms=20
in_box nft add table inet wall
in_box nft add chain inet wall in '{ type filter hook input priority 0; }'
in_box nft add chain inet wall on '{ type filter hook forward priority 0; }'
"""


def run(script: str, program: str, *words: str) -> Any:
    """Build the house and the box, then run a Python program in the house; it prints JSON."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(script, program, words, folder)


def _run(script: str, program: str, words: Sequence[str], folder: str) -> Any:
    commands = f'{HOUSE}{script}\n"$PYTHON" -c "$PROGRAM" "$@"'
    done = run_shell(
        ["unshare", "-rnm", "bash", "-c", commands, "bash", *words],
        env={
            **os.environ,
            "PYTHON": sys.executable,
            "PROGRAM": program,
            "NAME_SERVER": NAME_SERVER,
            "SERVER": SERVER,
            "TESTS": str(Path(__file__).parent),
            "DIR": folder,
        },
        seconds=40.0,
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


DIAL = """
import asyncio, json, sys
from cccamd.net import ConnectError, connect, resolve

async def go(place):
    host, _, port = place.rpartition("/")
    try:
        sock = await connect(
            await resolve(host, timeout=5.0), host=host, port=int(port), patience=1.5
        )
        sock.close()
        return ["UP", ""]
    except ConnectError as error:
        return [error.step.name, error.detail]

async def main():
    told = await asyncio.gather(*map(go, sys.argv[1:]))
    print(json.dumps(dict(zip(sys.argv[1:], told))))

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
in_box ip route add 10.98.0.6 dev box
ip route add 10.98.0.0/16 via 192.168.7.9
ip route add 10.97.0.0/16 via 192.168.7.9
ip route add 10.95.0.0/16 via 192.168.7.78
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
        "10.95.0.1/1000": ("GATEWAY", "leads over a router of this network, which does not"),
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


NAME_SERVER = """
import socket, struct

ADDRESSES = {
    ("good", 1): "192.168.7.9", ("both", 1): "192.168.7.9", ("both", 28): "fd00:7::9",
    ("six", 28): "fd00:7::9",
}

def answer(question):
    labels, at = [], 12
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    (kind,) = struct.unpack_from(">H", question, at + 1)
    name, section = labels[0], question[12 : at + 5]
    if name == "dead" or name.startswith("dead-"):
        return None
    code = {"unknown": 3, "broken": 2}.get(name, 0)
    text = ADDRESSES.get((name, kind), "")
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    data = socket.inet_pton(family, text) if text else b""
    head = question[:2] + struct.pack(">5H", 0x8180 | code, 1, bool(data), 0, 0)
    record = struct.pack(">3HIH", 0xC00C, kind, 1, 60, len(data)) + data if data else b""
    return head + section + record

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
while True:
    question, asker = server.recvfrom(512)
    said = answer(question)
    if said is not None:
        server.sendto(said, asker)
"""
NAMES = """
printf 'nameserver 127.0.0.1\\n' > $DIR/resolv.conf
printf 'hosts: files dns\\n' > $DIR/nsswitch.conf
mount --bind $DIR/resolv.conf /etc/resolv.conf
mount --bind $DIR/nsswitch.conf /etc/nsswitch.conf
"$PYTHON" -c "$NAME_SERVER" & others=$!
nsenter -t $box -n "$PYTHON" -m http.server -b 192.168.7.9 1000 >/dev/null 2>&1 &
others="$others $!"
in_box nft add rule inet wall in ip6 daddr fd00:7::9 drop
until getent hosts good.test >/dev/null && (: < /dev/tcp/192.168.7.9/1000) 2>/dev/null; do
  sleep 0.02
done
"""
STEPS = """
import asyncio, json, sys, time
from cccamd.net import ConnectError, connect, resolve

async def main():
    told = {}
    for host in sys.argv[1:]:
        started = time.monotonic()
        try:
            found = await resolve(host, timeout=1.5)
            sock = await connect(found, host=host, port=1000, patience=1.0)
            reached = sock.getpeername()[0]
            sock.close()
            said = ["UP", reached]
        except ConnectError as error:
            said = [error.step.name, error.detail]
        told[host] = [*said, time.monotonic() - started]
    print(json.dumps(told))

asyncio.run(main())
"""


def test_names_have_their_own_causes_and_a_dead_ipv6_costs_a_quarter_of_a_second() -> None:
    expected = {
        "good.test": ("UP", "192.168.7.9"),
        "both.test": ("UP", "192.168.7.9"),
        "six.test": ("CONNECT_TIMEOUT", "six.test (fd00:7::9) does not answer"),
        "dead.test": ("NAME_SERVER", "no name server answered within 1.5 s"),
        "broken.test": ("NAME_SERVER", "no name server can be asked for broken.test now"),
        "unknown.test": ("RESOLVE", "no address is known for the name unknown.test"),
        "empty.test": ("RESOLVE", "the name empty.test exists, but it has no address"),
    }
    told = run(NAMES, STEPS, *expected)
    assert {host: said[0] for host, said in told.items()} == {
        host: step for host, (step, _) in expected.items()
    }
    for host, (_, words) in expected.items():
        assert words in told[host][1]
    assert 0.2 < told["both.test"][2] < 0.9


CUT_OFF = """
printf 'nameserver 192.168.7.9\\n' > $DIR/resolv.conf
printf 'hosts: files dns\\n' > $DIR/nsswitch.conf
mount --bind $DIR/resolv.conf /etc/resolv.conf
mount --bind $DIR/nsswitch.conf /etc/nsswitch.conf
ip route add default via 192.168.7.9
ip link set house down
"""


def test_an_interface_that_is_down_is_no_trouble_of_the_name_server() -> None:
    told = run(CUT_OFF, STEPS, "good.test", "192.168.7.9")
    for host in ("good.test", "192.168.7.9"):
        words = f"no network leads out of this machine, nor to {host}"
        assert told[host][:2] == ["CUT_OFF", words]


THIRTY_ONE_LINKS = """
import asyncio, json, time
from cccamd.ids import NodeId
from cccamd.net import Connected, Link
from cccamd.wire.cccam import Caller, Identity, Target

async def main():
    identity = Identity(NodeId(bytes(8)), "test")
    began, connected = time.monotonic(), asyncio.Event()

    def link(host):
        target = Target(host=host, port=1000, user=b"anna", password=b"secret")
        def handle(event):
            if isinstance(event, Connected):
                connected.set()
        return Link(host, 1000, Caller(target, identity), handle=handle, on_failure=print)

    async with asyncio.TaskGroup() as group:
        hosts = [f"dead-{number}.test" for number in range(30)] + ["good.test"]
        tasks = [group.create_task(link(host).run()) for host in hosts]
        async with asyncio.timeout(15):
            await connected.wait()
        print(json.dumps(time.monotonic() - began))
        for task in tasks:
            task.cancel()

asyncio.run(main())
"""


def test_thirty_names_without_an_answer_hold_up_no_other_link() -> None:
    assert run(NAMES, THIRTY_ONE_LINKS) < 1.0


IMPATIENT = """
import asyncio, json, os, subprocess, sys
from cccamd.net import socketoptions as to

to.KEEPALIVE_IDLE = to.KEEPALIVE_PROBE_INTERVAL = to.KEEPALIVE_PROBES = 1
to.DEAD_PEER_MILLISECONDS = 2000
"""
SERVER = f"""{IMPATIENT}
import time
from peer import PLAIN_NODE, Server
from cccamd.net import open_sockets
from cccamd.wire.link import Closed

class Telling(Server):
    def _handle(self, made, event):
        if isinstance(event, Closed):
            print(made.address, event.reason.name, file=told, flush=True)
        super()._handle(made, event)

async def main():
    loop = asyncio.get_running_loop()
    (listening,) = open_sockets(["0.0.0.0"], 1000)
    server = await loop.create_server(Telling(node_id=PLAIN_NODE).make, sock=listening)
    await server.serve_forever()

told = open(os.environ["DIR"] + "/told", "w")
asyncio.run(main())
"""
DEATHS = f"""{IMPATIENT}
from peer import SILENCE
from cccamd.ids import NodeId
from cccamd.net import Link, LinkWaiting
from cccamd.wire.cccam import Caller, Identity, Target

BOX = ["nsenter", "-t", os.environ["BOX"], "-n"]
WAYS = {{
    "192.168.7.10": [*BOX, "nft", "add rule inet wall in ip daddr 192.168.7.10 drop"],
    "192.168.7.11": [*BOX, *"ip address del 192.168.7.11/24 dev box".split()],
    "192.168.7.12": [*BOX, "nft",
        "add rule inet wall in ip daddr 192.168.7.12 tcp dport 1000 reject with tcp reset"],
    "192.168.7.13": [*BOX, "nft", "add rule inet wall in ip daddr 192.168.7.13 drop"],
    "192.168.7.14": ["true"],
    "10.95.0.1": "ip route del 10.95.0.1".split(),
    "192.168.7.9": ["true"],
}}
ASKED = ("192.168.7.13", "192.168.7.14")
told, links, up = {{}}, {{}}, asyncio.Event()

def start(host):
    patience = 1.6 if host in ASKED else 8.0
    target = Target(
        host=host, port=1000, user=b"anna", password=b"secret", answer_timeout=patience
    )
    def handle(event):
        if isinstance(event, LinkWaiting):
            told.setdefault(host, [event.failure.step.name, event.failure.text])
        if len(told) == len(WAYS) - 1:
            up.set()
    identity = Identity(NodeId(b"c" * 8), "test")
    links[host] = Link(host, 1000, Caller(target, identity), handle=handle, on_failure=print)
    return links[host].run()

async def main():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(start(host)) for host in WAYS]
        async with asyncio.timeout(5):
            while not all(link.is_up for link in links.values()):
                await asyncio.sleep(0.01)
        for command in WAYS.values():
            subprocess.run(command, check=True)
        for host in ASKED:
            links[host].ask(1, SILENCE)
        async with asyncio.timeout(10):
            await up.wait()
        told["alive"] = [host for host, link in links.items() if link.is_up]
        for task in tasks:
            task.cancel()
    await asyncio.sleep(0.5)
    told["server"] = open(os.environ["DIR"] + "/told").read().split("\\n")
    print(json.dumps(told))

asyncio.run(main())
"""
DYING = """
for own in 192.168.7.{10,11,12,13,14}/24 10.95.0.1/32; do
  in_box ip address add $own dev box
done
ip route add 10.95.0.1 dev house
export PYTHONPATH=$TESTS BOX=$box
nsenter -t $box -n "$PYTHON" -c "$SERVER" >/dev/null 2>&1 & others=$!
until (: < /dev/tcp/192.168.7.9/1000) 2>/dev/null; do sleep 0.02; done
"""


def test_a_connection_that_dies_without_a_word_says_what_the_system_knows() -> None:
    told = run(DYING, DEATHS)
    assert told["192.168.7.10"][0] == "GONE", "every packet is dropped"
    assert "(Connection timed out)" in told["192.168.7.10"][1]
    assert told["192.168.7.11"][0] == "GONE", "nobody has this address any more"
    assert told["192.168.7.12"] == [
        "RESET",
        f"{CloseReason.RESET.value} (Connection reset by peer)",
    ]
    assert told["192.168.7.13"][0] == "GONE", "it is not the server that does not answer"
    assert told["192.168.7.14"][0] == "UNANSWERED", "its machine answers, and it does not"
    assert told["10.95.0.1"][0] == "NETWORK", told
    assert "192.168.7.9" in told["alive"], "it says nothing either, but TCP answers for it"
    assert "192.168.7.9" not in told
    assert told["server"].count("192.168.7.2 PEER_GONE") >= 2, told


WAY_BACK = """
import asyncio, json, subprocess, time
from cccamd.ids import NodeId
from cccamd.net import Backoff, Connected, Link, LinkWaiting, link as link_module
from cccamd.wire.cccam import Caller, Identity, Target

Backoff.next_delay = lambda self, random: 600.0
link_module.LEAST_PAUSE = link_module.ROUTE_LOOK = 0.1
link_module.HURRIED_PART = 6000.0

async def main():
    told = asyncio.Queue()
    target = Target(host="10.95.0.1", port=1000, user=b"anna", password=b"secret")
    caller = Caller(target, Identity(NodeId(bytes(8)), "test"))
    link = Link("10.95.0.1", 1000, caller, handle=told.put_nowait, on_failure=print)
    async with asyncio.TaskGroup() as group, asyncio.timeout(5):
        task = group.create_task(link.run())
        waiting = await told.get()
        await asyncio.sleep(0.4)
        idle = told.empty()
        subprocess.run("ip route add 10.95.0.1 dev house".split(), check=True)
        began = time.monotonic()
        while not isinstance(await told.get(), Connected):
            pass
        print(json.dumps([waiting.failure.step.name, idle, time.monotonic() - began]))
        task.cancel()

asyncio.run(main())
"""


def test_a_link_tries_at_once_when_a_way_has_come_back() -> None:
    ways = """
in_box ip address add 10.95.0.1/32 dev box
nsenter -t $box -n "$PYTHON" -m http.server -b 10.95.0.1 1000 >/dev/null 2>&1 & others=$!
until in_box bash -c ': < /dev/tcp/10.95.0.1/1000' 2>/dev/null; do sleep 0.02; done
"""
    step, idle, seconds = run(ways, WAY_BACK)
    assert (step, idle) == ("ROUTE", True)
    assert seconds < 1.0
