"""Where the parts of a fleet are: all on the loopback interface, or each on a machine of its own.

Machines are network namespaces. The middle, where cards, clients and the shaped ways are, is the
one that the program runs in: it has to be root there, as after `unshare -rn`. Two bridges join
them: `lan` leads to clients and cards, `wan` to the engine.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from laboratory import HOST

NEEDED: Final = ("ip", "nft", "unshare", "nsenter")
PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
INSIDE: Final = "CCCAMD_ON_MACHINES"
"""Set where a program is in a network of its own."""
LAN, WAN = "10.77.0", "10.78.0"
LOST: Final = 100
"""Of so many packets of the way to the engine one is lost."""


@dataclass(frozen=True)
class Machine:
    """One of them, as all others see it."""

    lan: str = HOST
    """Where clients and cards reach it, and it them."""
    wan: str = HOST
    before: tuple[str, ...] = ()
    """The beginning of a command that runs on it."""
    link: str = ""
    """Its cable to `wan`; none: it cannot be pulled."""

    def cut(self, *, cut: bool) -> bool:
        """Pull its cable to the engine, or put it in again; whether there is one."""
        if self.link:
            _run("ip", "link", "set", self.link, "down" if cut else "up")
        return bool(self.link)


@dataclass(frozen=True)
class Ground:
    """All of them."""

    middle: Machine
    engine: Machine
    nodes: dict[str, Machine]
    loses_packets: bool = False
    """Whether the way to the engine loses packets by itself."""


def why_no_machines() -> str:
    """Why there can be no namespaces here; empty: there can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if missing := [name for name in NEEDED if shutil.which(name, path=PATH) is None]:
        return f"not installed: {', '.join(missing)}"
    tries = "ip link add wan type bridge && nft list tables"
    done = subprocess.run(["unshare", "-rn", "sh", "-c", tries], capture_output=True, check=False)
    return "namespaces are not allowed here" if done.returncode else ""


def go_inside() -> None:
    """Begin this program anew in a network of its own, if that can be."""
    if INSIDE not in os.environ and not why_no_machines():
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "-rn", "--kill-child", sys.executable, *sys.argv])


@contextmanager
def ground(names: Sequence[str]) -> Iterator[Ground]:
    """Machines for these nodes, where `go_inside` has led to; else one for all."""
    if INSIDE not in os.environ:
        yield Ground(Machine(), Machine(), dict.fromkeys(names, Machine()))
        return
    os.environ["PATH"] = f"{PATH}:{os.environ.get('PATH', '')}"
    _run("ip", "link", "set", "lo", "up")
    for name, network in (("lan", LAN), ("wan", WAN)):
        _run("ip", "link", "add", name, "type", "bridge")
        _run("ip", "address", "add", f"{network}.1/24", "dev", name)
        _run("ip", "link", "set", name, "up")
    with ExitStack() as stack:
        engine = stack.enter_context(_machine("engine", 5))
        nodes = {
            name: stack.enter_context(_machine(name, 11 + number))
            for number, name in enumerate(names)
        }
        _lose("wan", "ip", "saddr", "!=", engine.wan)
        for machine in nodes.values():
            _lose("wan", before=machine.before)
        yield Ground(Machine(f"{LAN}.1", f"{WAN}.1"), engine, nodes, loses_packets=True)


@contextmanager
def _machine(name: str, number: int) -> Iterator[Machine]:
    with subprocess.Popen(["unshare", "-n", "sleep", "infinity"]) as holder:
        try:
            own = Path("/proc/self/ns/net").readlink()
            while Path(f"/proc/{holder.pid}/ns/net").readlink() == own:
                time.sleep(0.01)
            before = ("nsenter", "-t", str(holder.pid), "-n")
            _run(*before, "ip", "link", "set", "lo", "up")
            for bridge, network in (("lan", LAN), ("wan", WAN)):
                cable = f"{bridge}-{name}"
                there = ("peer", "name", bridge, "netns", str(holder.pid))
                _run("ip", "link", "add", cable, "type", "veth", *there)
                _run("ip", "link", "set", cable, "master", bridge, "up")
                _run(*before, "ip", "address", "add", f"{network}.{number}/24", "dev", bridge)
                _run(*before, "ip", "link", "set", bridge, "up")
            yield Machine(f"{LAN}.{number}", f"{WAN}.{number}", before, f"wan-{name}")
        finally:
            holder.kill()


def _lose(interface: str, *which: str, before: Sequence[str] = ()) -> None:
    """Lose some packets that come in by an interface."""
    nft = (*before, "nft", "add")
    _run(*nft, "table", "inet", "line")
    hook = "{ type filter hook input priority 0; }"
    _run(*nft, "chain", "inet", "line", "in", hook)
    rare = ("numgen", "random", "mod", str(LOST), "<", "1", "drop")
    _run(*nft, "rule", "inet", "line", "in", "iifname", interface, *which, *rare)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
