"""Whether the ports are to be had, and if not, who has them."""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.machine import PortHolder, user_numbered
from cccamd.setup.cccamcfg import Config, InfoPort

_KNOWN_PROGRAMS: Final = {
    "cccam": "the original CCcam is still running",
    "oscam": "OSCam is running with a cccam port of its own",
    "mgcamd": "mgcamd is running",
}
"""Words for programs that people forget to stop, by how their names begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPort:
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


def wanted_ports(config: Config, bind: Sequence[str]) -> list[WantedPort]:
    """The ports that a configuration asks for."""
    server = WantedPort(
        purpose="clients",
        port=config.server_listen_port,
        setting="SERVER LISTEN PORT",
        line=config.server_listen_port_line,
        addresses=tuple(bind),
        vital=True,
    )
    ports = [server] if server.port else []
    if config.webinfo.listens:
        ports.append(_info_port("the web page", "WEBINFO", config.webinfo, bind))
    if config.telnetinfo.listens:
        ports.append(_info_port("telnet information", "TELNETINFO", config.telnetinfo, bind))
    return ports


def _info_port(purpose: str, key: str, info: InfoPort, bind: Sequence[str]) -> WantedPort:
    return WantedPort(
        purpose=purpose,
        port=info.port,
        setting=f"{key} LISTEN PORT",
        line=None,
        addresses=tuple(bind),
        vital=False,
    )


def judge_port(wanted: WantedPort, holder: PortHolder | None, bind_error: int | None) -> Finding:
    """Say whether a port is free, ours, or taken; `bind_error` is what a trial said."""
    if holder is not None:
        return _judge_taken(wanted, holder)
    if bind_error is None:
        return _finding(wanted, Verdict.OK, f"free, for {wanted.purpose}")
    bad = Verdict.FAILURE if wanted.vital else Verdict.WARNING
    if bind_error == errno.EACCES:
        return _finding(
            wanted,
            bad,
            f"ports below 1024 need root, and we are {user_numbered(os.geteuid()).name}",
            f"Choose a number from 1024 on: {wanted.where}.",
        )
    if bind_error == errno.EADDRNOTAVAIL:
        return _finding(
            wanted,
            bad,
            f"this machine has none of the addresses {', '.join(wanted.addresses)}",
            "Correct bind in the [server] table of cccamd.toml.",
        )
    if bind_error == errno.EADDRINUSE:
        evidence = "taken, by a program that cannot be seen from here (a container?)"
        return _finding(wanted, bad, evidence, f"Choose another number: {wanted.where}.")
    return _finding(wanted, bad, f"cannot be had: {os.strerror(bind_error)}", wanted.where)


def _judge_taken(wanted: WantedPort, holder: PortHolder) -> Finding:
    process = holder.process
    if holder.is_ours:
        who = f"process {process.pid}" if process else "a process"
        evidence = f"our own server listens here for {wanted.purpose} ({who} of {holder.user})"
        return _finding(wanted, Verdict.OK, evidence)
    verdict = Verdict.FAILURE if wanted.vital else Verdict.WARNING
    other_number = f"choose another number: {wanted.where}"
    if process is None:
        evidence = f"taken by a program of user {holder.user}, which only root can see"
        advice = f"Run doctor as root to learn its name, or {other_number}."
        return _finding(wanted, verdict, evidence, advice)
    evidence = f"taken by {process.name} (process {process.pid} of {holder.user})"
    if known := _known_program(process.name):
        evidence = f"{evidence}: {known}"
    effect = "the server cannot start" if wanted.vital else f"no {wanted.purpose} until it is free"
    return _finding(
        wanted, verdict, f"{evidence}; {effect}", f"Stop {process.name}, or {other_number}."
    )


def _known_program(name: str) -> str | None:
    found = (words for begin, words in _KNOWN_PROGRAMS.items() if name.lower().startswith(begin))
    return next(found, None)


def _finding(wanted: WantedPort, verdict: Verdict, evidence: str, advice: str = "") -> Finding:
    return Finding(
        check=Check.PORTS,
        subject=str(wanted.port),
        verdict=verdict,
        evidence=evidence,
        advice=advice,
    )
