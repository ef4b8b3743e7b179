"""Whether this machine's own packet filter lets clients in."""

import json
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.iptables import read_iptables, tables_in
from cccamd.doctor.nftables import read_nft
from cccamd.doctor.packetfilter import Fate, Outcome, Packet, outcome

COMMAND_TIMEOUT: Final = 10.0
CONNECT_TIMEOUT: Final = 2.0
RULES_SHOWN: Final = 5
_HIDDEN: Final = "only root can see the rules (in a container with the capability NET_ADMIN)"
_NOT_THE_WHOLE_WAY: Final = "a router on the way may still block it"


class Knock(Enum):
    """What a connection from this machine to its own outward address came to."""

    ANSWERED = "answered"
    SILENT = "no answer"
    REFUSED = "refused"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Ruleset:
    """What the programs that list rules said."""

    nft: dict[str, Any] | None = None
    """None: not there, or not allowed."""
    iptables: str | None = None
    forbidden: bool = False
    """There are such programs, and they do not show us anything."""

    @property
    def is_known(self) -> bool:
        """Whether there are any rules to judge."""
        return self.nft is not None or self.iptables is not None


def judge_firewall(packet: Packet, rules: Ruleset, knock: Knock) -> Finding:
    """Say whether a client's connection gets through, and which rule stops it."""
    found = _outcome(packet, rules)
    if found is not None and found.fate is Fate.CLOSED:
        return _finding(
            packet,
            Verdict.FAILURE,
            f"a rule drops connections to port {packet.port}" + _confirmation(knock),
            f"Put a rule that accepts TCP port {packet.port} before it.",
            found.rules,
        )
    if knock is Knock.SILENT:
        return _finding(
            packet,
            Verdict.FAILURE,
            f"the server listens, but a connection to {packet.address} port {packet.port} from this"
            " machine gets no answer: a packet filter drops it",
            f"Let TCP port {packet.port} in; sudo nft list ruleset shows the rules.",
            found.rules if found else (),
        )
    if found is None:
        return _judge_unknown(packet, rules, knock)
    if found.fate is Fate.PARTLY:
        return _finding(
            packet,
            Verdict.ADVICE,
            f"who gets through to port {packet.port} depends on these rules",
            "See that your receivers' addresses are among those that are let in.",
            found.rules,
        )
    return _finding(
        packet,
        Verdict.OK,
        f"no rule of this machine drops port {packet.port}; {_NOT_THE_WHOLE_WAY}",
    )


def _confirmation(knock: Knock) -> str:
    if knock is Knock.SILENT:
        return ", and a connection from this machine to its own address got no answer"
    return ""


def _judge_unknown(packet: Packet, rules: Ruleset, knock: Knock) -> Finding:
    if knock is Knock.ANSWERED:
        seen = f"a connection from this machine to {packet.address} port {packet.port} is answered"
        why = f"; {_HIDDEN}" if rules.forbidden else ""
        return _finding(packet, Verdict.OK, f"{seen}{why}; {_NOT_THE_WHOLE_WAY}")
    if rules.forbidden:
        return _finding(packet, Verdict.NOT_CHECKED, _HIDDEN, "Run doctor as root.")
    if rules.is_known:
        evidence = "the rules are in a form that cannot be read by this program"
        return _finding(packet, Verdict.NOT_CHECKED, evidence)
    return _finding(packet, Verdict.NOT_CHECKED, "neither nft nor iptables-save is installed here")


def _outcome(packet: Packet, rules: Ruleset) -> Outcome | None:
    """What all rules together do; None when there are none to be seen or understood."""
    tables = read_iptables(rules.iptables or "", packet)
    if rules.nft is not None:
        try:
            tables |= read_nft(rules.nft, packet, without=tables_in(rules.iptables or ""))
        except (AttributeError, KeyError, TypeError, ValueError):
            # nft's JSON grows from version to version: what we cannot read we do not judge.
            return None
    return outcome(tables) if rules.is_known else None


def _finding(
    packet: Packet,
    verdict: Verdict,
    evidence: str,
    advice: str = "",
    rules: Sequence[str] = (),
) -> Finding:
    more = tuple(dict.fromkeys(rules))
    if len(more) > RULES_SHOWN:
        more = (*more[:RULES_SHOWN], f"and {len(more) - RULES_SHOWN} more rules")
    return Finding(
        check=Check.FIREWALL,
        subject=str(packet.port),
        verdict=verdict,
        evidence=evidence,
        advice=advice,
        more=more,
    )


# What touches the system.


def look_at_rules() -> Ruleset:
    """List the rules of the kernel, if we may."""
    nft, nft_forbidden = _run("nft", "-j", "list", "ruleset")
    saved, iptables_forbidden = _run("iptables-save")
    try:
        ruleset = json.loads(nft) if nft is not None else None
    except ValueError:
        ruleset = None
    return Ruleset(ruleset, saved, nft_forbidden or iptables_forbidden)


def _run(program: str, *arguments: str) -> tuple[str | None, bool]:
    """The output; and whether the program is there but not for us."""
    path = shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")
    if path is None:
        return None, False
    try:
        done = subprocess.run(
            [path, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None, True
    return done.stdout, False


def knock(packet: Packet) -> Knock:
    """Connect to our own outward address, as a client would; nothing leaves the machine."""
    if packet.address is None:
        return Knock.NOT_TRIED
    try:
        with socket.create_connection((str(packet.address), packet.port), timeout=CONNECT_TIMEOUT):
            return Knock.ANSWERED
    except TimeoutError:
        return Knock.SILENT
    except OSError:
        return Knock.REFUSED
