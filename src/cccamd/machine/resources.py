"""How many files a server may open here, how much memory and room there is, and its clock."""

import ctypes
import errno
import os
import re
import resource
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from cccamd.machine.ports import missing_addresses
from cccamd.machine.writing import Room, look_at_room

RESERVED_FILES: Final = 128
"""File descriptors that a server needs besides those of its clients: upstreams, logs, modules."""

_PR_SET_PDEATHSIG: Final = 1
"""Of <linux/prctl.h>."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What the system gives."""

    files: int | None
    """None: no limit, or not known."""
    memory: int
    """Bytes available now, and what a running server has already."""
    is_running: bool
    """These are the limits of the running server; else ours."""
    space: int | None = None
    """Bytes of address space that it may have (RLIMIT_AS); None: no limit, or not known."""


def raise_file_limit() -> None:
    """Take as many file descriptors as the system gives: each client needs one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def end_with_parent() -> None:
    """Have the system kill this process when the one that started it is gone, also if it hangs."""
    with suppress(OSError, AttributeError):  # elsewhere than on Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def look_at_supply(server_pid: int | None) -> Supply:
    """Ask for the limits of the running server, or for our own."""
    memory = psutil.virtual_memory().available
    allowed = _cgroup_room()
    if allowed is not None:
        memory = min(memory, allowed)
    # psutil asks the kernel for limits, which tells root alone of others' processes.
    if server_pid is not None and (limits := _read(f"/proc/{server_pid}/limits")):
        space = read_limit(limits, "Max address space")
        return Supply(
            files=read_limit(limits, "Max open files"),
            memory=memory + _used_by(server_pid),
            is_running=True,
            space=space,
        )
    return Supply(files=_own_file_limit(), memory=memory, is_running=False)


def read_limit(text: str, name: str) -> int | None:
    """A hard limit in the text of /proc/PID/limits, by the kernel's name; None: unlimited.

    The server raises its soft limit of files to the hard one when it starts.
    """
    found = re.search(rf"^{name}\s+\S+\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


# What a running server reads of itself, every half minute.


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What the clock shows, and what the kernel thinks of it."""

    wall: float
    """Seconds since 1970."""
    steady: float
    """Seconds of a clock that nobody can set."""
    is_kept: bool | None
    """Whether something keeps it in step with the world, as the kernel sees it; None: it does not
    say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What this process has, and has left."""

    clock: Clock
    rooms: Mapping[str, Room]
    """Where files are written, by what they are called for people."""
    files_open: int
    """0: not known, as without /proc."""
    files_allowed: int | None
    """None: no limit."""
    memory_used: int
    """Bytes that this process has."""
    memory_left: int | None
    """Bytes that the system, or the container, can still give; None: not known."""
    space_left: int | None = None
    """Bytes until the limit of this process's address space (RLIMIT_AS); None: no limit."""
    missing: tuple[str, ...] = ()
    """Addresses that are listened on, and that this machine does not have."""


def read_resources(written: Mapping[str, Path], listened: Iterable[str] = ()) -> Resources:
    """Look at what this process has left: a few system calls, nothing is asked over the network.

    `written`: the files that are written, by what they are called for people; `listened`: the
    addresses that are listened on. A network file
    system may keep us waiting: call it in a thread.
    """
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    used = own_memory()
    rooms = {name: look_at_room(path) for name, path in written.items()}
    return Resources(
        clock=Clock(wall=time.time(), steady=time.monotonic(), is_kept=_clock_is_kept()),
        rooms={name: room for name, room in rooms.items() if room is not None},
        files_open=_files_open(soft),
        files_allowed=None if soft == resource.RLIM_INFINITY else soft,
        memory_used=used,
        memory_left=_memory_left() if used else None,
        space_left=_space_left(),
        missing=missing_addresses(listened),
    )


def file_size_limit() -> int | None:
    """Bytes beyond which no file of this process may grow; None: no limit."""
    soft = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _files_open(allowed: int) -> int:
    """Even to count them takes one: where there is none left, all are open."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError as error:
        return allowed if error.errno in _NO_FILES else 0


def own_memory() -> int:
    """Bytes that this process has; 0 where the system does not let us see."""
    try:
        return psutil.Process().memory_info().rss
    except (OSError, psutil.Error):
        return 0


def _memory_left() -> int | None:
    try:
        left, allowed = psutil.virtual_memory().available, _cgroup_room()
    except OSError:
        return None
    return left if allowed is None else min(left, allowed)


def _space_left() -> int | None:
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    if soft == resource.RLIM_INFINITY:
        return None
    try:
        return max(0, soft - psutil.Process().memory_info().vms)
    except (OSError, psutil.Error):
        return None


_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
_TIMEX_SIZE: Final = 512
"""Bytes; more than `struct timex` has anywhere. Zeros ask without changing anything."""
_TIME_ERROR: Final = 5
"""The kernel's word for a clock that nothing keeps in step."""


def _clock_is_kept() -> bool | None:
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_SIZE))
    except (OSError, AttributeError):  # another system
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)


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
