"""Why somebody cannot log in who is not even asked for a password: the brake on guessing."""

from collections.abc import Iterable, Iterator
from typing import Final

from cccamd.facts import Penalty, PenaltyKind, ServerStatus
from cccamd.why.diagnosis import Check, Diagnosis, Grade, diagnose
from cccamd.why.evidence import Evidence
from cccamd.why.finding import Finding, Setting, Weight
from cccamd.wording import ago, count, listed

_CODES: Final = {
    PenaltyKind.BANNED: "banned",
    PenaltyKind.SLOWED: "logins-wait",
    PenaltyKind.NAME_SLOWED: "strangers-wait",
}
LATELY: Final = 3600.0
"""Seconds for which a failed login tells where somebody is."""
ADDRESSES_SHOWN: Final = 3
BANS_JUDGED: Final = 5


def penalty_text(penalty: Penalty, at: float) -> str:
    """Say what somebody bears, how long and what for."""
    ends = f"for {ago(penalty.until - at)} more"
    where = listed([door.value for door in penalty.doors])
    failed = f"after {count(penalty.tries, 'failed login')}" if penalty.tries else "as before"
    failed += f" ({where})" if where else ""
    match penalty.kind:
        case PenaltyKind.BANNED:
            often = f", the ban number {penalty.bans}" if penalty.bans > 1 else ""
            text = f"{penalty.who} is banned {ends}, {failed}{_last(penalty)}{often}"
        case PenaltyKind.SLOWED:
            wait = f"{penalty.wait_seconds:.1f} s"
            text = f"logins from {penalty.who} wait {wait} each, {ends}, {failed}{_last(penalty)}"
        case PenaltyKind.NAME_SLOWED:
            wait = f"{penalty.wait_seconds:.1f} s"
            text = (
                f"who logs in as {penalty.who} from a new place waits {wait}, {ends}, {failed}"
                " with that name from wherever"
            )
    return text


def _last(penalty: Penalty) -> str:
    return f", the last as {penalty.user}" if penalty.user else ""


def explain_penalty(penalty: Penalty, evidence: Evidence) -> Finding:
    """Say it with what to do about it."""
    is_ban = penalty.kind is PenaltyKind.BANNED
    place = evidence.toml.place("[penalties]")
    return Finding(
        code=_CODES[penalty.kind],
        weight=Weight.BAD if is_ban else Weight.NOTE,
        text=penalty_text(penalty, evidence.at),
        change=_CHANGE if is_ban else "",
        setting=Setting(name="[penalties]", file=place.file, line=place.line) if is_ban else None,
    )


_CHANGE: Final = (
    "see what logs in there with a wrong name or password, and mend that; the ban ends by itself,"
    " and [penalties] exempt in cccamd.toml with its network lifts it at the next reload"
)


def explain_brake(user: str, evidence: Evidence) -> Iterator[Finding]:
    """Say of a user name whether the brake holds up those who used it lately."""
    told: set[str] = set()
    for address in _addresses(user, evidence):
        for penalty in evidence.penalties_of(address):
            if penalty.who not in told:
                told.add(penalty.who)
                yield explain_penalty(penalty, evidence)
    for_name = evidence.penalty_of_name(user)
    if for_name is not None:
        yield explain_penalty(for_name, evidence)


def _addresses(user: str, evidence: Evidence) -> list[str]:
    """Where it failed to log in from; and who was turned away, whose last name was this one."""
    recent, since = evidence.recent, evidence.at - LATELY
    failed = [each.last for each in recent.account(user).refusals.values()]
    failed += [failure for failure in recent.strangers if failure.user == user]
    found = [failure.address for failure in failed if failure.at >= since]
    for address, refused in recent.turned_away.items():
        if refused.at >= since and any(
            penalty.user == user for penalty in evidence.penalties_of(address)
        ):
            found.append(address)
    return list(dict.fromkeys(reversed(found)))[:ADDRESSES_SHOWN]


# An address.


def explain_address(address: str, evidence: Evidence) -> Iterator[Finding]:
    """Say whether somebody at an address may log in, who has, and who could not."""
    bears = evidence.penalties_of(address)
    if not evidence.toml.network.allowed.admits(address):
        yield Finding(
            code="network-not-allowed",
            weight=Weight.BAD,
            text=f"{address} may not connect: it is in no network that is let in",
            change="add its network to [network] allow in cccamd.toml, if it should",
            setting=evidence.toml_table("[network]"),
        )
    elif not any(penalty.kind is PenaltyKind.BANNED for penalty in bears):
        known = ", and it is not banned" if evidence.live else ""
        text = f"{address} may connect: its network is let in{known}"
        yield Finding(code="address-admitted", weight=Weight.GOOD, text=text)
    for penalty in bears:
        yield explain_penalty(penalty, evidence)
    yield from _seen_from(address, evidence)


def _seen_from(address: str, evidence: Evidence) -> Iterator[Finding]:
    here = [
        user
        for user, clients in evidence.clients.items()
        if any(client.address == address for client in clients)
    ]
    if here:
        text = f"logged in from there: {listed(here)}"
        yield Finding(code="logged-in", weight=Weight.GOOD, text=text)
    failed = evidence.recent.failed_from(address)
    for failure in failed[-ADDRESSES_SHOWN:]:
        when, name = ago(evidence.at - failure.at), failure.account or failure.user
        tried = f" as {name}" if name else ""
        text = f"{when} ago a login from there{tried} failed: {failure.reason}"
        yield Finding(code="login-refused", weight=Weight.NOTE, text=text)
    refused = evidence.recent.turned_away.get(address)
    if refused is not None:
        when = ago(evidence.at - refused.at)
        text = f"{when} ago a connection from there was closed unheard: {refused.reason}"
        yield Finding(code="turned-away", weight=Weight.NOTE, text=text)
    if evidence.live and not here and not failed and refused is None:
        text = "nobody there was refused lately, nor is logged in"
        yield Finding(code="address-unknown", weight=Weight.NOTE, text=text)


# The doctor.


def judge_bans(server: ServerStatus) -> Iterator[Diagnosis]:
    """Name who is banned: it may be somebody who should not be."""
    bans = [one for one in server.penalties if one.kind is PenaltyKind.BANNED]
    if not bans:
        return
    more = tuple(penalty_text(penalty, server.at) for penalty in bans[:BANS_JUDGED])
    left = server.banned - len(more)
    if left > 0:
        more = (*more, f"and {left:,} more")
    yield diagnose(
        Check.LOGINS,
        Grade.ADVICE,
        "bans",
        f"{_who(bans, server.banned)} banned for failed logins",
        "see whether one of them is yours: what logs in there has a wrong name or password",
        more=more,
    )


def _who(bans: Iterable[Penalty], number: int) -> str:
    if number == 1:
        return f"{next(iter(bans)).who} is"
    return f"{number:,} addresses and networks are"
