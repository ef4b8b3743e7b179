"""Whether there are enough file descriptors and memory for all clients."""

import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.wording import count

RESERVED_FILES: Final = 128
"""For logs, the interpreter and what else is open."""
LOGINS_AT_ONCE: Final = 64
"""Connections that have not logged in yet: after a power cut all receivers come at once."""
MEBIBYTE: Final = 2**20
SERVER_MEMORY: Final = 60 * MEBIBYTE
"""Measured: 52 MiB with one card and nobody logged in."""
CLIENT_MEMORY: Final = 64 * 1024
"""Measured: 13 KiB for a client that sees one card; more with many cards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the configuration may need at most."""

    clients: int
    upstreams: int
    max_clients: int
    """The limit in cccamd.toml."""

    @property
    def files(self) -> int:
        """File descriptors when everybody is there."""
        return (
            min(self.clients, self.max_clients) + self.upstreams + LOGINS_AT_ONCE + RESERVED_FILES
        )

    @property
    def memory(self) -> int:
        """Bytes when everybody is there; a rough figure."""
        return SERVER_MEMORY + CLIENT_MEMORY * (self.clients + self.upstreams)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What the system gives."""

    files: int | None
    """None: no limit, or not known."""
    memory: int | None
    """Bytes available now, and what a running server has already."""
    is_running: bool
    """These are the limits of the running server; else ours."""


def judge_files(demand: Demand, supply: Supply) -> Finding:
    """Compare file descriptors with the number of clients."""
    whose = "the running server" if supply.is_running else "a server started from here"
    needs = f"{count(demand.clients, 'account')} and {count(demand.upstreams, 'C-line')}"
    if supply.files is None:
        return _finding("files", Verdict.OK, f"{whose} may open as many files as it likes")
    has = f"{whose} may open {supply.files:,} files; {needs} need up to {demand.files:,}"
    if supply.files < demand.files:
        advice = "Add LimitNOFILE=65536 to the [Service] section of the service, and restart it."
        return _finding("files", Verdict.WARNING, f"{has}: not all clients get in", advice)
    if demand.clients > demand.max_clients:
        evidence = f"{needs}, but only {demand.max_clients:,} clients are let in at once"
        advice = "Raise max_clients in the [limits] table of cccamd.toml."
        return _finding("files", Verdict.ADVICE, evidence, advice)
    return _finding("files", Verdict.OK, has)


def judge_memory(demand: Demand, supply: Supply) -> Finding:
    """Compare memory with the number of clients."""
    if supply.memory is None:
        return _finding("memory", Verdict.NOT_CHECKED, "the system does not say")
    need = f"about {max(1, round(demand.memory / MEBIBYTE)):,} MiB"
    has = (
        f"{round(supply.memory / MEBIBYTE):,} MiB available, {need} needed when everybody is there"
    )
    if supply.memory < demand.memory:
        advice = "Stop other programs, or add memory: a server that swaps answers late."
        return _finding("memory", Verdict.WARNING, has, advice)
    return _finding("memory", Verdict.OK, has)


def _finding(subject: str, verdict: Verdict, evidence: str, advice: str = "") -> Finding:
    return Finding(
        check=Check.RESOURCES,
        subject=subject,
        verdict=verdict,
        evidence=evidence,
        advice=advice,
    )


def read_file_limit(text: str) -> int | None:
    """The hard limit of open files in the text of /proc/PID/limits; None: unlimited.

    The server raises its soft limit to the hard one when it starts.
    """
    found = re.search(r"^Max open files\s+\S+\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


def read_kibibytes(text: str) -> Mapping[str, int]:
    """The sizes in the text of /proc/meminfo or /proc/PID/status, in bytes."""
    found = re.finditer(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)
    return {match[1]: 1024 * int(match[2]) for match in found}


# What touches the system.


def look_at_supply(server_pid: int | None) -> Supply:
    """Ask for the limits of the running server, or for our own."""
    files = _own_file_limit()
    memory = read_kibibytes(_read("/proc/meminfo")).get("MemAvailable")
    allowed = _cgroup_room()
    if memory is not None and allowed is not None:
        memory = min(memory, allowed)
    if server_pid is not None and (limits := _read(f"/proc/{server_pid}/limits")):
        files = read_file_limit(limits)
        used = read_kibibytes(_read(f"/proc/{server_pid}/status")).get("VmRSS", 0)
        memory = memory + used if memory is not None else None
        return Supply(files=files, memory=memory, is_running=True)
    return Supply(files=files, memory=memory, is_running=False)


def _own_file_limit() -> int | None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if most == resource.RLIM_INFINITY else most


def _cgroup_room() -> int | None:
    """What a container may still take; None outside of one."""
    limit, used = (_read(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    return int(limit) - int(used) if limit.isdigit() and used.isdigit() else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
