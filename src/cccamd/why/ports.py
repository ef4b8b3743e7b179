"""Whether the ports are to be had, who has them if not, and what the packet filter lets in."""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from cccamd.machine import Fate, FirstPacket, Knock, PortHolder, Ruleset, user_numbered
from cccamd.setup.cccamcfg import Config, InfoPort
from cccamd.setup.toml import TomlConfig
from cccamd.why.diagnosis import Check, Diagnosis, Grade, diagnose
from cccamd.why.finding import Finding, Weight
from cccamd.wording import listed

_KNOWN_PROGRAMS: Final = {
    "cccam": "the original CCcam is still running",
    "oscam": "OSCam is running with a cccam port of its own",
    "mgcamd": "mgcamd is running",
}
"""Words for programs that people forget to stop, by how their names begin."""
RULES_SHOWN: Final = 5
_HIDDEN: Final = "only root can see the rules (in a container with the capability NET_ADMIN)"
_NOT_THE_WHOLE_WAY: Final = "a router on the way may still block it"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPort:
    """A port that the server opens."""

    purpose: str
    port: int
    setting: str
    """The key or table that sets it."""
    line: int | None
    addresses: tuple[str, ...]
    vital: bool
    """Without it the server does not start."""

    @property
    def where(self) -> str:
        """The setting, with its line if it stands in the file."""
        return self.setting if self.line is None else f"{self.setting} in line {self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSeen:
    """A port that the server opens, as it was found."""

    wanted: WantedPort
    holder: PortHolder | None
    """Who has it."""
    bind_error: int | None
    """The error number if it is not to be had."""
    missing: tuple[str, ...] = ()
    """Which of its addresses this machine does not have."""

    @property
    def is_ours(self) -> bool:
        """Whether our server listens there."""
        return self.holder is not None and self.holder.is_ours

    @property
    def may_be_ours(self) -> bool:
        """Whether somebody listens who is our server, or could be it and hides."""
        return self.holder is not None and (self.holder.is_ours or self.holder.process is None)


def wanted_ports(config: Config, toml: TomlConfig) -> list[WantedPort]:
    """The ports that a configuration asks for."""
    bind = toml.server.bind
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
        ports.append(_info_port("web pages", "WEBINFO", config.webinfo, bind))
    if config.telnetinfo.listens:
        ports.append(_info_port("telnet information", "TELNETINFO", config.telnetinfo, bind))
    if toml.tls.port:
        ports.append(_toml_port("paired servers", toml.tls.port, "[tls] port", bind, toml))
    if toml.dvbapi.enabled and toml.dvbapi.port:
        table = toml.dvbapi
        ports.append(_toml_port("dvbapi clients", table.port, "[dvbapi] port", table.listen, toml))
    taken = {wanted.port for wanted in ports}  # which is told with the configuration
    ports += [
        _toml_port("newcamd clients", each.port, each.heading, each.bind or bind, toml)
        for each in toml.newcamd
        if each.port not in taken
    ]
    return ports


def listened_addresses(config: Config, toml: TomlConfig) -> tuple[str, ...]:
    """The addresses that a configuration has something listen on."""
    everywhere = (wanted.addresses for wanted in wanted_ports(config, toml))
    return tuple(dict.fromkeys(address for some in everywhere for address in some))


def _toml_port(
    purpose: str, port: int, setting: str, bind: Sequence[str], toml: TomlConfig
) -> WantedPort:
    return WantedPort(
        purpose=purpose,
        port=port,
        setting=f"{setting} of cccamd.toml",
        line=toml.place(setting).line,
        addresses=tuple(bind),
        vital=False,
    )


def _info_port(purpose: str, key: str, info: InfoPort, bind: Sequence[str]) -> WantedPort:
    return WantedPort(
        purpose=purpose,
        port=info.port,
        setting=f"{key} LISTEN PORT",
        line=None,
        addresses=tuple(bind),
        vital=False,
    )


TO_COME: Final = (
    "If it comes later (a router that starts more slowly, Wi-Fi), that is all: it is listened on"
    " as soon as it is there. Else correct bind in the [server] table of cccamd.toml."
)


def judge_port(seen: PortSeen) -> Diagnosis:
    """Say whether a port is free, ours, or taken."""
    wanted, error = seen.wanted, seen.bind_error
    port = partial(diagnose, Check.PORTS, subject=str(wanted.port))
    if seen.holder is not None:
        return _judge_taken(seen, seen.holder)
    if error is None:
        return port(Grade.OK, "port-free", f"free, for {wanted.purpose}")
    bad = Grade.FAILURE if wanted.vital else Grade.WARNING
    if error == errno.EACCES:
        text = f"ports below 1024 need root, and we are {user_numbered(os.geteuid()).name}"
        change = f"Choose a number from 1024 on: {wanted.where}."
        return port(bad, "port-forbidden", text, change)
    if error == errno.EADDRNOTAVAIL:
        text = f"this machine has none of the addresses {', '.join(wanted.addresses)}"
        return port(bad, "no-such-address", text, TO_COME)
    if error == errno.EADDRINUSE:
        found = explain_taken(wanted, None)
        return port(bad, found.code, found.text, found.change)
    return port(bad, "port-unusable", f"cannot be had: {os.strerror(error)}", wanted.where)


def _judge_taken(seen: PortSeen, holder: PortHolder) -> Diagnosis:
    wanted = seen.wanted
    port = partial(diagnose, Check.PORTS, subject=str(wanted.port))
    process = holder.process
    if holder.is_ours:
        who = f"process {process.pid}" if process else "a process"
        text = f"our own server listens here for {wanted.purpose} ({who} of {holder.user})"
        if seen.missing:
            grade = Grade.FAILURE if wanted.vital else Grade.WARNING
            text += f", but this machine has no address {listed(seen.missing)} now"
            return port(grade, "no-such-address", text, TO_COME)
        return port(Grade.OK, "port-ours", text)
    grade = Grade.FAILURE if wanted.vital else Grade.WARNING
    found = explain_taken(wanted, holder)
    effect = "the server cannot start" if wanted.vital else f"no {wanted.purpose} until it is free"
    return port(grade, found.code, f"{found.text}; {effect}", found.change)


def explain_taken(wanted: WantedPort, holder: PortHolder | None) -> Finding:
    """Name the program that has a port, also when it is a server of ours."""
    taken = partial(Finding, code="port-taken", weight=Weight.BAD)
    other_number = f"choose another number: {wanted.where}."
    if holder is None:
        text = "taken, by a program that cannot be seen from here (a container?)"
        return taken(text=text, change=f"Choose another number: {wanted.where}.")
    process = holder.process
    if process is None:
        text = f"taken by a program of user {holder.user}, which only root can see"
        return taken(text=text, change=f"Run doctor as root to learn its name, or {other_number}")
    text = f"taken by {process.name} (process {process.pid} of {holder.user})"
    if holder.is_ours:
        text = f"{text}: a cccamd server runs already"
    elif known := _known_program(process.name):
        text = f"{text}: {known}"
    return taken(text=text, change=f"Stop {process.name}, or {other_number}")


def _known_program(name: str) -> str | None:
    name = name.lower()
    if name.startswith("cccamd"):
        return "a command of cccamd"
    return next((words for begin, words in _KNOWN_PROGRAMS.items() if name.startswith(begin)), None)


# The packet filter.


def judge_firewall(packet: FirstPacket, rules: Ruleset, knock: Knock) -> Diagnosis:
    """Say whether a client's connection gets through, and which rule stops it."""
    filter_ = partial(diagnose, Check.FIREWALL, subject=str(packet.port))
    found = rules.outcome(packet)
    shown = _some_rules(found.rules) if found else ()
    if found is not None and found.fate is Fate.CLOSED:
        return filter_(
            Grade.FAILURE,
            "rule-drops",
            f"a rule drops connections to port {packet.port}" + _confirmation(knock),
            f"Put a rule that accepts TCP port {packet.port} before it.",
            more=shown,
        )
    if knock is Knock.SILENT:
        return filter_(
            Grade.FAILURE,
            "filter-drops",
            f"the server listens, but a connection to {packet.address} port {packet.port} from this"
            " machine gets no answer: a packet filter drops it",
            f"Let TCP port {packet.port} in; sudo nft list ruleset shows the rules.",
            more=shown,
        )
    if found is None:
        return _judge_unknown(packet, rules, knock)
    if found.fate is Fate.PARTLY:
        return filter_(
            Grade.ADVICE,
            "filter-depends",
            f"who gets through to port {packet.port} depends on these rules",
            "See that your receivers' addresses are among those that are let in.",
            more=shown,
        )
    text = f"no rule of this machine drops port {packet.port}; {_NOT_THE_WHOLE_WAY}"
    return filter_(Grade.OK, "filter-open", text)


def _confirmation(knock: Knock) -> str:
    if knock is Knock.SILENT:
        return ", and a connection from this machine to its own address got no answer"
    return ""


def _judge_unknown(packet: FirstPacket, rules: Ruleset, knock: Knock) -> Diagnosis:
    filter_ = partial(diagnose, Check.FIREWALL, subject=str(packet.port))
    if knock is Knock.ANSWERED:
        text = f"a connection from this machine to {packet.address} port {packet.port} is answered"
        why = f"; {_HIDDEN}" if rules.forbidden else ""
        return filter_(Grade.OK, "filter-answers", f"{text}{why}; {_NOT_THE_WHOLE_WAY}")
    unknown = partial(filter_, Grade.NOT_CHECKED, "filter-unknown")
    if rules.forbidden:
        return unknown(_HIDDEN, "Run doctor as root.")
    if rules.is_known:
        return unknown("the rules are in a form that cannot be read by this program")
    return unknown("neither nft nor iptables-save is installed here")


def _some_rules(rules: Sequence[str]) -> tuple[str, ...]:
    shown = tuple(dict.fromkeys(rules))
    rest = len(shown) - RULES_SHOWN
    return (*shown[:RULES_SHOWN], f"and {rest} more rules") if rest > 0 else shown
