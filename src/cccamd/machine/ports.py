"""Who listens where on this machine, and whether a port is to be had.

What psutil cannot tell is read from /proc: the user of a socket whose process hides from us.
"""

import errno
import re
import socket
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from cccamd.ids import IpAddress
from cccamd.machine.users import user_numbered

WORKERS: Final = "cccamd.workers"
"""The module that a server's workers run; they listen beside it."""
PROC_NET: Final = Path("/proc/net")
_LISTENING: Final = "0A"
_INTERPRETER: Final = re.compile(r"python[\d.]*|perl|sh|bash")


class ListeningSocket(NamedTuple):
    """A socket that listens for TCP connections."""

    address: IpAddress
    port: int
    pid: int | None
    """None: a process that only root can see."""


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

    @property
    def is_worker(self) -> bool:
        """Whether it holds connections for such a server, which is the process that started it."""
        return self.command[1:3] == ("-m", WORKERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortHolder:
    """Somebody who listens on a port that we want."""

    user: str
    process: Process | None
    """None: hidden from us."""
    is_ours: bool
    """It is a cccamd server, or very likely one."""


def holder_of(port: int, addresses: Sequence[str]) -> PortHolder | None:
    """Find out who keeps us from listening there; None when nobody does."""
    sockets = in_the_way(port, addresses, listening_sockets())
    if not sockets:
        return None
    known = [(found, _server_behind(read_process(found.pid))) for found in sockets]
    strangers = [(found, who) for found, who in known if who is None or not who.is_cccamd]
    return _holder(*(strangers or known)[0])


def _server_behind(process: Process | None) -> Process | None:
    """The server that a worker belongs to; another process is itself.

    A worker that has lost its server ends within a moment: until then it is named itself.
    """
    if process is None or not process.is_worker:
        return process
    with suppress(psutil.Error):
        server = read_process(psutil.Process(process.pid).ppid())
        if server is not None and server.is_cccamd:
            return server
    return process


def _holder(found: ListeningSocket, process: Process | None) -> PortHolder:
    """A process that hides is ours if the same user runs a server and nothing says otherwise."""
    uid = _uid_of(found) if process is None else process.uid
    if process is None:
        candidates = servers_of(uid)
        process = candidates[0] if len(candidates) == 1 else None
    is_ours = process is not None and process.is_cccamd
    return PortHolder(user=user_numbered(uid).name, process=process, is_ours=is_ours)


def in_the_way(
    port: int, addresses: Sequence[str], sockets: Iterable[ListeningSocket]
) -> list[ListeningSocket]:
    """The sockets that keep us from listening on a port of these addresses."""
    wanted = [ip_address(address) for address in addresses]
    return [
        found
        for found in sockets
        if found.port == port and any(_overlap(found.address, ours) for ours in wanted)
    ]


def _overlap(theirs: IpAddress, ours: IpAddress) -> bool:
    """Whether both cannot be had at once; a socket on `::` may listen for IPv4 too."""
    if theirs.version != ours.version:
        return theirs.version == 6 and theirs.is_unspecified
    return theirs == ours or theirs.is_unspecified or ours.is_unspecified


def listening_sockets() -> list[ListeningSocket]:
    """All sockets that listen for TCP connections in our network namespace."""
    return [
        ListeningSocket(ip_address(found.laddr.ip), found.laddr.port, found.pid)
        for found in psutil.net_connections("tcp")
        if found.laddr and found.status == psutil.CONN_LISTEN
    ]


def read_process(pid: int | None) -> Process | None:
    """Look at a process; None when it is gone, or hidden."""
    if pid is None:
        return None
    try:
        found = psutil.Process(pid)
        return Process(pid, found.uids().effective, tuple(found.cmdline()))
    except psutil.Error:
        return None


def servers_of(uid: int) -> list[Process]:
    """All cccamd servers of one user, whatever they listen on."""
    running = (read_process(pid) for pid in psutil.pids())
    return [process for process in running if process and process.uid == uid and process.is_cccamd]


def _uid_of(found: ListeningSocket) -> int:
    """The user who opened a socket; -1 when it was closed meanwhile."""
    name = "tcp" if found.address.version == 4 else "tcp6"
    try:
        users = parse_users((PROC_NET / name).read_text())
    except OSError:
        return -1
    return users.get((found.address, found.port), -1)


def parse_users(text: str) -> dict[tuple[IpAddress, int], int]:
    """Who opened what listens, in the text of /proc/net/tcp or /proc/net/tcp6."""
    users = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 10 and fields[3] == _LISTENING:
            address, _, port = fields[1].partition(":")
            users[_address(address), int(port, 16)] = int(fields[7])
    return users


def _address(digits: str) -> IpAddress:
    """Addresses are shown as 32-bit words in the byte order of the machine."""
    words = (int(digits[at : at + 8], 16) for at in range(0, len(digits), 8))
    raw = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return IPv4Address(raw) if len(raw) == 4 else IPv6Address(raw)


def try_to_bind(port: int, addresses: Sequence[str]) -> int | None:
    """Take a port for an instant, without listening; the error number if that fails."""
    errors = [_bind_error(address, port) for address in addresses]
    real = [error for error in errors if error not in (None, errno.EAFNOSUPPORT)]
    if errno.EADDRNOTAVAIL in real and None in errors:
        real = [error for error in real if error != errno.EADDRNOTAVAIL]
    return real[0] if real else None


def missing_addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    """Those that are none of this machine now; whether it has IPv6 at all is not asked."""
    return tuple(
        address
        for address in dict.fromkeys(addresses)
        if not ip_address(address).is_loopback and _bind_error(address, 0) == errno.EADDRNOTAVAIL
    )


def _bind_error(address: str, port: int) -> int | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address, port))
    except OSError as error:
        return error.errno
    return None
