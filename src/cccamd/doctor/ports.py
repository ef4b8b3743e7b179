"""Whether the ports are to be had, and if not, who has them."""

import errno
import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.permissions import user_numbered
from cccamd.doctor.processes import (
    ListeningSocket,
    Process,
    listening_sockets,
    owners,
    servers_of,
)
from cccamd.setup.cccamcfg import Config, InfoPort

_KNOWN_PROGRAMS: Final = {
    "cccam": "the original CCcam is still running",
    "oscam": "OSCam is running with a cccam port of its own",
    "mgcamd": "mgcamd is running",
}
"""Words for programs that people forget to stop, by how their names begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A port that the server opens."""

    purpose: str
    port: int
    setting: str
    """The key in CCcam.cfg that sets it."""
    line: int | None
    addresses: tuple[str, ...]
    vital: bool
    """Without it the server does not start."""

    @property
    def where(self) -> str:
        """The setting, with its line if it stands in the file."""
        return self.setting if self.line is None else f"{self.setting} in line {self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Somebody who listens on a port that we want."""

    user: str
    process: Process | None
    """None: hidden from us."""
    is_ours: bool
    """It is a cccamd server, or very likely one."""


def doors_of(config: Config, bind: Sequence[str]) -> list[Door]:
    """The ports that a configuration asks for."""
    server = Door(
        purpose="clients",
        port=config.server_listen_port,
        setting="SERVER LISTEN PORT",
        line=config.server_listen_port_line,
        addresses=tuple(bind),
        vital=True,
    )
    doors = [server] if server.port else []
    if config.webinfo.listens:
        doors.append(_info_door("the web page", "WEBINFO", config.webinfo, bind))
    if config.telnetinfo.listens:
        doors.append(_info_door("telnet information", "TELNETINFO", config.telnetinfo, bind))
    return doors


def _info_door(purpose: str, key: str, info: InfoPort, bind: Sequence[str]) -> Door:
    return Door(
        purpose=purpose,
        port=info.port,
        setting=f"{key} LISTEN PORT",
        line=None,
        addresses=tuple(bind),
        vital=False,
    )


def judge_door(door: Door, holder: Holder | None, bind_error: int | None) -> Finding:
    """Say whether a port is free, ours, or taken; `bind_error` is what a trial said."""
    if holder is not None:
        return _judge_taken(door, holder)
    if bind_error is None:
        return _finding(door, Verdict.OK, f"free, for {door.purpose}")
    bad = Verdict.FAILURE if door.vital else Verdict.WARNING
    if bind_error == errno.EACCES:
        return _finding(
            door,
            bad,
            f"ports below 1024 need root, and we are {user_numbered(os.geteuid()).name}",
            f"Choose a number from 1024 on: {door.where}.",
        )
    if bind_error == errno.EADDRNOTAVAIL:
        return _finding(
            door,
            bad,
            f"this machine has none of the addresses {', '.join(door.addresses)}",
            "Correct bind in the [server] table of cccamd.toml.",
        )
    if bind_error == errno.EADDRINUSE:
        evidence = "taken, by a program that cannot be seen from here (a container?)"
        return _finding(door, bad, evidence, f"Choose another number: {door.where}.")
    return _finding(door, bad, f"cannot be had: {os.strerror(bind_error)}", door.where)


def _judge_taken(door: Door, holder: Holder) -> Finding:
    process = holder.process
    if holder.is_ours:
        who = f"process {process.pid}" if process else "a process"
        evidence = f"our own server listens here for {door.purpose} ({who} of {holder.user})"
        return _finding(door, Verdict.OK, evidence)
    verdict = Verdict.FAILURE if door.vital else Verdict.WARNING
    other_number = f"choose another number: {door.where}"
    if process is None:
        evidence = f"taken by a program of user {holder.user}, which only root can see"
        advice = f"Run doctor as root to learn its name, or {other_number}."
        return _finding(door, verdict, evidence, advice)
    evidence = f"taken by {process.name} (process {process.pid} of {holder.user})"
    if known := _known_program(process.name):
        evidence = f"{evidence}: {known}"
    effect = "the server cannot start" if door.vital else f"no {door.purpose} until it is free"
    return _finding(
        door, verdict, f"{evidence}; {effect}", f"Stop {process.name}, or {other_number}."
    )


def _known_program(name: str) -> str | None:
    found = (words for begin, words in _KNOWN_PROGRAMS.items() if name.lower().startswith(begin))
    return next(found, None)


def _finding(door: Door, verdict: Verdict, evidence: str, advice: str = "") -> Finding:
    return Finding(
        check=Check.PORTS,
        subject=str(door.port),
        verdict=verdict,
        evidence=evidence,
        advice=advice,
    )


def in_the_way(door: Door, sockets: Iterable[ListeningSocket]) -> list[ListeningSocket]:
    """The sockets that keep us from listening as the door wants."""
    wanted = [ip_address(address) for address in door.addresses]
    return [
        found
        for found in sockets
        if found.port == door.port and any(_overlap(found.address, ours) for ours in wanted)
    ]


def _overlap(theirs: IPv4Address | IPv6Address, ours: IPv4Address | IPv6Address) -> bool:
    """Whether both cannot be had at once; a socket on `::` may listen for IPv4 too."""
    if theirs.version != ours.version:
        return theirs.version == 6 and theirs.is_unspecified
    return theirs == ours or theirs.is_unspecified or ours.is_unspecified


# What touches the system.


def look_at_door(door: Door) -> tuple[Holder | None, int | None]:
    """Find out who has a port, if it is not to be had, and the error number that says so."""
    error = try_to_bind(door)
    return (holder_of(door) if error is not None else None), error


def holder_of(door: Door) -> Holder | None:
    """Find out who has a port; None when nobody has."""
    sockets = in_the_way(door, listening_sockets())
    if not sockets:
        return None
    known = owners(found.inode for found in sockets)
    for found in sockets:
        process = known.get(found.inode)
        if process is None or not process.is_cccamd:
            return _holder(found, process)
    return _holder(sockets[0], known[sockets[0].inode])


def _holder(found: ListeningSocket, process: Process | None) -> Holder:
    """A process that hides is ours if the same user runs a server and nothing says otherwise."""
    if process is None:
        candidates = servers_of(found.uid)
        process = candidates[0] if len(candidates) == 1 else None
    is_ours = process is not None and process.is_cccamd
    return Holder(user=user_numbered(found.uid).name, process=process, is_ours=is_ours)


def try_to_bind(door: Door) -> int | None:
    """Take the port for an instant, without listening; the error number if that fails."""
    errors = [_bind_error(address, door.port) for address in door.addresses]
    real = [error for error in errors if error not in (None, errno.EAFNOSUPPORT)]
    if errno.EADDRNOTAVAIL in real and None in errors:
        real = [error for error in real if error != errno.EADDRNOTAVAIL]
    return real[0] if real else None


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
