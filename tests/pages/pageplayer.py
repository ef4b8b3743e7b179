"""Does what a page says, on machines of its own: run inside `unshare`, JSON in, JSON out.

Each machine is a network namespace with the addresses that the page gives it, all on one wire, and
with folders of its own in the place of /etc, /var and /run. Everything ends with this process.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pagesteps import is_told

PATIENCE = 60.0
KEPT = ("hosts", "nsswitch.conf", "passwd", "group", "ld.so.cache", "protocols", "services")
"""Files of /etc that programs cannot do without."""
OWN_FOLDERS = ("/etc", "/run", "/var")
HOME = "/run/home"
PATH = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
ECM = "--caid 0B00 --provider 030B00 --sid 1D80 --ecm 80700500010203ab"
STAND_IN = Path(__file__).parent / "dvbapistandin.py"
LOOKS = ("cccamd status", "cccamd explain", "cccamd probe", sys.executable)
STARTED = "grep -q ' accounts: ' /var/log/cccamd.out"
READY = """
import base64, sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:16001/ready")
if sys.argv[1]:
    request.add_header("Authorization", "Basic " + base64.b64encode(sys.argv[1].encode()).decode())
urllib.request.urlopen(request, timeout=2).read()
"""
"""Whether there is a card, for a server whose pages perhaps have a login."""


class Machine:
    """A namespace of networks and one of mounts, as long as its holder lives."""

    def __init__(self, number: int, addresses: Sequence[str], names: Mapping[str, str]) -> None:
        kept = {
            name: Path("/etc", name).read_bytes() for name in KEPT if Path("/etc", name).exists()
        }
        hosts = "".join(f"{address} {name}\n" for name, address in names.items())
        kept["hosts"] = b"127.0.0.1 localhost\n" + hosts.encode()
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        self.holder = subprocess.Popen(
            ["unshare", "-nm", "sh", "-c", "echo here; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.holder.stdout is not None
        self.holder.stdout.readline()
        for folder in OWN_FOLDERS:
            self.run(f"mount -t tmpfs none {folder}")
        self.run(f"mkdir -p {HOME} /var/lib /var/log /var/tmp")
        for name, content in kept.items():
            self.write(f"/etc/{name}", content)
        _run("ip", "link", "add", f"m{number}", "type", "veth", "peer", "name", "wire", "netns",
             str(self.holder.pid))  # fmt: skip
        _run("ip", "link", "set", f"m{number}", "master", "wires", "up")
        self.run("ip link set lo up && ip link set wire up")
        for address in addresses:
            self.run(f"ip address add {address} dev wire")
        self.run("ip route add default dev wire")

    def inside(self, *command: str) -> list[str]:
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", "--wd=/", *command]

    def run(self, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": PATH, "HOME": HOME, "COLUMNS": "120", "LANG": "C.UTF-8"}
        return subprocess.run(
            self.inside("bash", "-c", f"cd {HOME} 2>/dev/null; {command}"),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=check,
            timeout=PATIENCE,
        )

    def until_told(self, command: str, shown: str) -> list[Any]:
        """Run it: what it printed, what the page has, its status.

        What only looks is run again, for a while, until it prints that: a link is not up at once,
        and a machine with much to do answers late.
        """
        end = time.monotonic() + (PATIENCE if command.startswith(LOOKS) else 0.0)
        while True:
            done = self.run(command, check=False)
            if time.monotonic() > end or (is_told(done.stdout, shown) and not done.returncode):
                return [command, done.stdout, shown, done.returncode]

    def write(self, path: str, content: bytes) -> None:
        folder = str(Path(path).parent)
        command = self.inside("bash", "-c", f'umask 077; mkdir -p "{folder}" && cat > "{path}"')
        subprocess.run(command, input=content, check=True, timeout=PATIENCE)

    def start(self, command: str) -> None:
        """Start a server, and wait until it says what it serves."""
        self.servers[command] = subprocess.Popen(
            self.inside("bash", "-c", f"exec {command} >>/var/log/cccamd.out 2>&1"),
            env={"PATH": PATH, "HOME": HOME},
        )
        self.wait(self.inside("sh", "-c", STARTED))

    def wait(self, command: Sequence[str]) -> None:
        """Until this command succeeds."""
        end = time.monotonic() + PATIENCE
        while subprocess.run(command, capture_output=True, check=False).returncode:
            ended = [name for name, server in self.servers.items() if server.poll() is not None]
            if time.monotonic() > end or ended:
                log = self.run("cat /var/log/cccamd.out", check=False).stdout
                raise TimeoutError(f"{command[-1]}; ended: {ended}\n{log}")
            time.sleep(0.1)

    def stop(self) -> None:
        for server in self.servers.values():
            server.terminate()
            server.wait(PATIENCE)
        self.servers.clear()

    def end(self) -> None:
        for process in (*self.servers.values(), self.holder):
            process.kill()
            process.wait()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)


def play(machines: Mapping[str, Machine], steps: Sequence[Mapping[str, str]]) -> list[Any]:
    """Do it all; what was printed by each command, and how it ended."""
    printed = []
    only = next(iter(machines))
    for step in steps:
        machine = machines[step["machine"] or only]
        match step["what"]:
            case "write":
                machine.write(step["text"], step["more"].encode())
            case "run":
                printed.append(machine.until_told(step["text"].removeprefix("sudo "), step["more"]))
            case "start":
                machine.start(step["text"] or "cccamd serve")
            case "ready":
                machine.wait(machine.inside(sys.executable, "-c", READY, step["text"]))
            case "ecm":
                command = f"cccamd probe {step['text']} {ECM}"
                printed.append(machine.until_told(command, "...\nCW ..."))
            case "dvbapi":
                command = f"{sys.executable} {STAND_IN} {step['text']}"
                printed.append(machine.until_told(command, "clear"))
            case "stop":
                machine.stop()
            case other:
                raise ValueError(f"nobody knows what {other!r} is")
    return printed


def main() -> None:
    """Read what there is to do, do it, say what came of it."""
    scene = json.load(sys.stdin)
    _run("ip", "link", "add", "wires", "type", "bridge")
    _run("ip", "link", "set", "wires", "up")
    machines: dict[str, Machine] = {}
    try:
        for number, (name, addresses) in enumerate(scene["machines"].items()):
            machines[name] = Machine(number, addresses, scene["names"])
        json.dump(play(machines, scene["steps"]), sys.stdout)
    finally:
        for machine in machines.values():
            machine.end()


if __name__ == "__main__":
    os.umask(0o077)
    main()
