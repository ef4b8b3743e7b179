"""Whether this machine's own packet filter lets clients in."""

from collections.abc import Sequence
from typing import Final

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.machine import Fate, FirstPacket, Knock, Ruleset

RULES_SHOWN: Final = 5
_HIDDEN: Final = "only root can see the rules (in a container with the capability NET_ADMIN)"
_NOT_THE_WHOLE_WAY: Final = "a router on the way may still block it"


def judge_firewall(packet: FirstPacket, rules: Ruleset, knock: Knock) -> Finding:
    """Say whether a client's connection gets through, and which rule stops it."""
    found = rules.outcome(packet)
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


def _judge_unknown(packet: FirstPacket, rules: Ruleset, knock: Knock) -> Finding:
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


def _finding(
    packet: FirstPacket,
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
