"""Troubles of the network, made for real in a network namespace of their own.

Each test is a machine with one interface, which is gone when its last process ends. Nothing
can leave it.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shells import run_shell

NEEDED = ("ip", "ss", "nft", "iptables", "unshare")
MISSING = [
    name for name in NEEDED if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None
]


def _why_not() -> str:
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    if MISSING:
        return f"not installed: {', '.join(MISSING)}"
    done = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return "network namespaces are not allowed here" if done.returncode else ""


WHY_NOT = _why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

PORT = 12000
TOML = '[[card]]\nkind = "test"\ncaid = "7F00"\n'
MACHINE = """
set -e
ip link set lo up
ip link add house type veth peer name wall
ip link set house up
ip link set wall up
ip address add {address}/24 dev house
ip route add default dev house
for server in $(sed -n 's/^nameserver //p' /etc/resolv.conf); do
  ip route add unreachable "$server" 2>/dev/null || true
done
"""
IMPATIENT_DOCTOR = """
import typer
from cccamd.cli.doctor import doctor
from cccamd.machine import addresses
from cccamd.cli import trial

trial.STEP_TIMEOUT = addresses.KNOCK_TIMEOUT = 0.3
typer.run(doctor)
"""
SERVER = '"$PYTHON" -m cccamd serve -C "$CFG" -n "$NODE_ID" >/dev/null 2>&1 & server=$!\n'
UNTIL_IT_LISTENS = (
    f"for wait in $(seq 500); do ss -ltn | grep -q :{PORT} && break; sleep 0.05; done\n"
)


def examine(
    folder: Path, commands: str, *, lines: str = "F: anna x", address: str = "192.168.7.2"
) -> dict[tuple[str, str], dict[str, Any]]:
    """Make a machine, run shell commands on it, and then the doctor."""
    cfg = folder / "CCcam.cfg"
    cfg.write_text(f"ALLOW WEBINFO : no\nALLOW TELNETINFO : no\n{lines}\n")
    (folder / "cccamd.toml").write_text(TOML)
    script = MACHINE.format(address=address) + commands
    script += 'set +e\n"$PYTHON" -c "$DOCTOR" -C "$CFG" -n "$NODE_ID" --json\n'
    script += "[ -z $server ] || kill $server\n"
    words = {"PYTHON": sys.executable, "CFG": str(cfg), "NODE_ID": str(folder / "node-id")}
    done = run_shell(
        ["unshare", "--net", "sh", "-c", script],
        env={**os.environ, **words, "DOCTOR": IMPATIENT_DOCTOR},
        seconds=60.0,
    )
    assert done.stdout, done.stderr
    findings = json.loads(done.stdout)["findings"]
    return {(one["check"], one["subject"]): one for one in findings}


def test_nftables_drops_the_port_of_a_running_server(tmp_path: Path) -> None:
    rules = (
        "nft add table inet guard\n"
        "nft add chain inet guard input '{ type filter hook input priority 0; }'\n"
        f"nft add rule inet guard input tcp dport '{{ 80, {PORT} }}' counter drop\n"
    )
    found = examine(tmp_path, SERVER + UNTIL_IT_LISTENS + rules)
    assert "our own server" in found["ports", str(PORT)]["evidence"], "the server did not start"
    firewall = found["firewall", str(PORT)]
    assert firewall["verdict"] == "failure"
    assert "a rule drops connections to port 12000" in firewall["evidence"]
    assert "to its own address got no answer" in firewall["evidence"]
    assert firewall["more"] == [
        "nft table inet guard, chain input: tcp dport { 80, 12000 } drop",
    ]


def test_iptables_drops_the_port_while_no_server_runs(tmp_path: Path) -> None:
    rules = (
        "iptables -P INPUT DROP\niptables -A INPUT -i lo -j ACCEPT\n"
        "iptables -A INPUT -p tcp -m multiport --dports 22,80 -j ACCEPT\n"
    )
    found = examine(tmp_path, rules)
    assert found["firewall", str(PORT)]["verdict"] == "failure"
    assert found["firewall", str(PORT)]["more"] == [
        "iptables table filter, chain INPUT: policy drop"
    ]
    assert found["ports", str(PORT)]["verdict"] == "ok"


def test_carrier_grade_nat_lost_c_lines_and_rules_with_conditions(tmp_path: Path) -> None:
    lines = "C: nobody.example 12000 me pw\nC: 192.168.7.2 13000 me pw\nC: 192.0.2.9 1 me pw"
    lines += "\nC: 192.168.7.2 14000 me pw"  # refuses: this network is all right
    rules = (
        "ip address add 192.168.7.2/32 dev lo\nip route del default\n"
        "ip route add default dev house src 100.71.3.4\n"
        "iptables -A INPUT -p tcp --dport 13000 -j DROP\n"
        "ip route add unreachable 192.0.2.9\n"
        "iptables -A INPUT -s 192.168.7.0/24 -p tcp --dport 12000 -j ACCEPT\n"
        "iptables -A INPUT -p tcp -m multiport --dports 12000,16001 -j REJECT\n"
    )
    found = examine(tmp_path, rules, lines=lines, address="100.71.3.4")
    address = found["address", ""]
    assert "100.71.3.4 is behind carrier-grade NAT" in address["evidence"]
    assert any("WireGuard" in line for line in address["more"])
    nameless = found["C-line", "nobody.example:12000"]
    assert "no answer from a name server" in nameless["evidence"], "it cannot be reached here"
    assert "the name server of this machine does not answer" in nameless["more"][0]
    assert nameless["evidence"].endswith("; others fail at the same time")
    assert nameless["advice"] == found["C-line", "192.0.2.9:1"]["advice"]
    silent = found["C-line", "192.168.7.2:13000"]
    assert "no answer to the connection attempt" in silent["evidence"]
    assert "does not forward port 13000" in silent["more"][0]
    assert "no route" in found["C-line", "192.0.2.9:1"]["evidence"]
    firewall = found["firewall", str(PORT)]
    assert firewall["verdict"] == "advice"
    assert "-s 192.168.7.0/24" in firewall["more"][0]
