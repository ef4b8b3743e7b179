"""How many files a server may open here, and how much memory there is."""

import re
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

RESERVED_FILES: Final = 128
"""File descriptors that a server needs besides those of its clients: upstreams, logs, modules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What the system gives."""

    files: int | None
    """None: no limit, or not known."""
    memory: int
    """Bytes available now, and what a running server has already."""
    is_running: bool
    """These are the limits of the running server; else ours."""


def look_at_supply(server_pid: int | None) -> Supply:
    """Ask for the limits of the running server, or for our own."""
    memory = psutil.virtual_memory().available
    allowed = _cgroup_room()
    if allowed is not None:
        memory = min(memory, allowed)
    # psutil asks the kernel for limits, which tells root alone of others' processes.
    if server_pid is not None and (limits := _read(f"/proc/{server_pid}/limits")):
        return Supply(
            files=read_file_limit(limits), memory=memory + _used_by(server_pid), is_running=True
        )
    return Supply(files=_own_file_limit(), memory=memory, is_running=False)


def read_file_limit(text: str) -> int | None:
    """The hard limit of open files in the text of /proc/PID/limits; None: unlimited.

    The server raises its soft limit to the hard one when it starts.
    """
    found = re.search(r"^Max open files\s+\S+\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


def _own_file_limit() -> int | None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if most == resource.RLIM_INFINITY else most


def _used_by(pid: int) -> int:
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def _cgroup_room() -> int | None:
    """What a container may still take; None outside of one."""
    limit, used = (_read(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    return int(limit) - int(used) if limit.isdigit() and used.isdigit() else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
