"""Who runs on this machine and who listens where, read from /proc."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
_LISTENING: Final = "0A"
_INTERPRETER: Final = re.compile(r"python[\d.]*|perl|sh|bash")
_SOCKET_LINK: Final = re.compile(r"socket:\[(\d+)\]")


class ListeningSocket(NamedTuple):
    """One line of /proc/net/tcp or tcp6 in the state "listen"."""

    address: IPv4Address | IPv6Address
    port: int
    uid: int
    inode: int


@dataclass(frozen=True, slots=True)
class Process:
    """A process, as far as anybody may see it."""

    pid: int
    uid: int
    command: tuple[str, ...]

    @property
    def name(self) -> str:
        """The program's name: for an interpreter that of the script it runs."""
        words = [*self.command, "", "", ""]
        name = Path(words[0]).name
        if _INTERPRETER.fullmatch(name):
            script = words[2] if words[1] == "-m" else words[1]
            return name if script.startswith("-") else Path(script).name or name
        return name or "unknown"

    @property
    def is_cccamd(self) -> bool:
        """Whether it is a server of this program."""
        names = {Path(word).name for word in self.command[:3]}
        return "cccamd" in names and "serve" in self.command


def parse_listening(text: str) -> Iterator[ListeningSocket]:
    """Read the text of /proc/net/tcp or /proc/net/tcp6."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != _LISTENING:
            continue
        address, _, port = fields[1].partition(":")
        yield ListeningSocket(_address(address), int(port, 16), int(fields[7]), int(fields[9]))


def _address(digits: str) -> IPv4Address | IPv6Address:
    """Addresses are shown as 32-bit words in the byte order of the machine."""
    words = (int(digits[at : at + 8], 16) for at in range(0, len(digits), 8))
    raw = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return IPv4Address(raw) if len(raw) == 4 else IPv6Address(raw)


# What touches the system.


def listening_sockets() -> list[ListeningSocket]:
    """All sockets that listen for TCP connections in our network namespace."""
    found: list[ListeningSocket] = []
    for name in ("tcp", "tcp6"):
        try:
            found += parse_listening((PROC / "net" / name).read_text())
        except OSError:  # no IPv6 here
            continue
    return found


def owners(inodes: Iterable[int]) -> dict[int, Process]:
    """Which process has which socket open; those of other users are seen by root only."""
    wanted = set(inodes)
    found: dict[int, Process] = {}
    for pid in _pids() if wanted else ():
        for inode in wanted & _sockets_of(pid):
            if (process := read_process(pid)) is not None:
                found.setdefault(inode, process)
    return found


def servers_of(uid: int) -> list[Process]:
    """All cccamd servers of one user, whatever they listen on."""
    running = (read_process(pid) for pid in _pids())
    return [process for process in running if process and process.uid == uid and process.is_cccamd]


def read_process(pid: int) -> Process | None:
    """Look at a process; None when it is gone, or hidden."""
    folder = PROC / str(pid)
    try:
        raw = (folder / "cmdline").read_bytes()
        uid = folder.stat().st_uid
    except OSError:
        return None
    words = raw.decode(errors="replace").rstrip("\0").split("\0")
    return Process(pid, uid, tuple(words))


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir(PROC) if entry.name.isdigit())


def _sockets_of(pid: int) -> set[int]:
    try:
        entries = list(os.scandir(PROC / str(pid) / "fd"))
    except OSError:
        return set()
    matches = (_SOCKET_LINK.fullmatch(_target(entry.path)) for entry in entries)
    return {int(match[1]) for match in matches if match}


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:  # closed while we looked
        return ""
