"""Who is logged in, who was not let in and why, and what each reason asks for: one set of words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Final

from cccamd.facts import DVBAPI, ClientStatus
from cccamd.ids import format_sid
from cccamd.setup.cccamcfg import FLine
from cccamd.watch import ClientLoggedOut, LoginFailed
from cccamd.why.evidence import Evidence, Refusals
from cccamd.why.finding import Finding, Setting, Weight
from cccamd.wire.link import CloseReason
from cccamd.wording import ago, count

STRANGERS_SHOWN: Final = 3
REFUSALS_SHOWN: Final = 3
REFUSALS_TOLD: Final = 3600.0
"""Seconds that a refused login is told of while somebody else is logged in."""


class Names(Enum):
    """Which setting is responsible."""

    NOTHING = ""
    F_LINE = "the F-line"
    MINIMUM_VERSION = "MINIMUM CLIENT VERSION"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the reason of a failed login asks for: `{user}`, `{line}` and `{address}` are filled."""

    change: str
    names: Names = Names.NOTHING


_VERSIONS: Final = "have the receiver announce a newer version, or lower MINIMUM CLIENT VERSION"
_STRANGE: Final = (
    "another program than a CCcam client uses this login, or something on the way changes bytes:"
    " look which program runs at {address}"
)
_WORKER: Final = "look in the log why a worker of cccamd ended; the receiver comes again by itself"
_OUR_FAULT: Final = "look for `internal error` in the log of cccamd, and report it"

MEANINGS: Final[Mapping[CloseReason, Meaning]] = {
    CloseReason.WRONG_PASSWORD: Meaning(
        "make the password in the receiver's C-line that of line {line}; small and capital"
        " letters differ",
        Names.F_LINE,
    ),
    CloseReason.WRONG_ADDRESS: Meaning(
        "write {address} at the end of line {line}, or nothing at all", Names.F_LINE
    ),
    CloseReason.HOST_UNRESOLVED: Meaning(
        "try `getent hosts {host}` on this machine: mend the name in line {line}, or the name"
        " server of this machine; or write an address there, or nothing at all",
        Names.F_LINE,
    ),
    CloseReason.ALREADY_CONNECTED: Meaning(
        "give each receiver an F-line of its own; or set logins = 2 below [[account]] user ="
        ' "{user}" in cccamd.toml, if both may use this one',
        Names.F_LINE,
    ),
    CloseReason.OLD_VERSION: Meaning(_VERSIONS, Names.MINIMUM_VERSION),
    CloseReason.NO_VERSION: Meaning(_VERSIONS, Names.MINIMUM_VERSION),
    CloseReason.CONFIG_CHANGED: Meaning(
        "nothing, if the receiver logs in anew by itself; else compare its C-line with line {line}",
        Names.F_LINE,
    ),
    CloseReason.LOGIN_TIMEOUT: Meaning(
        "look at the way between the receiver and this machine, and whether the receiver hangs;"
        " [limits] login_timeout in cccamd.toml gives it more time"
    ),
    CloseReason.NOT_PROTECTED: Meaning(
        "have the other server call the [tls] port (paired and tls_port below its [[upstream]]); or"
        ' take paired out of [[account]] user = "{user}" in cccamd.toml',
        Names.F_LINE,
    ),
    CloseReason.ACCOUNT_DISABLED: Meaning(
        'take enabled = false out of [[account]] user = "{user}" in cccamd.toml', Names.F_LINE
    ),
    CloseReason.OTHER_PROTOCOL: Meaning(
        'add what it speaks to protocols of [[account]] user = "{user}" in cccamd.toml',
        Names.F_LINE,
    ),
    CloseReason.OTHER_ADDRESS: Meaning(
        "add {address} to allow of the port's [[newcamd]] in cccamd.toml, or use another port"
    ),
    CloseReason.TOO_MANY_LOGINS: Meaning(
        "look in the log who opens so many connections; [limits] max_pending_logins in"
        " cccamd.toml says how many may be open before their login"
    ),
    CloseReason.PEER_CLOSED: Meaning(
        "look at the receiver's log: it hung up by itself, because it gave up waiting or did not"
        " like something; `cccamd probe` tries the same login from here"
    ),
    CloseReason.GARBAGE: Meaning(_STRANGE),
    CloseReason.MALFORMED_LOGIN: Meaning(_STRANGE),
    CloseReason.NOT_CCCAM: Meaning(_STRANGE),
    CloseReason.INTERNAL_ERROR: Meaning(_OUR_FAULT),
    CloseReason.SHUTDOWN: Meaning("nothing: cccamd was stopped, and the receiver comes again"),
    CloseReason.WORKER_ENDED: Meaning(_WORKER),
}
"""What to do about a login that failed."""
_OTHER_MEANING: Final = Meaning(
    "look at the receiver's log; `cccamd probe` tries the same login from here"
)

_LOOK: Final = "look whether the receiver is on and reaches this machine"
LEFT: Final[Mapping[CloseReason, str]] = {
    CloseReason.PEER_CLOSED: (
        "the receiver hung up by itself: look whether it is on, and what its log says"
    ),
    CloseReason.CONFIG_CHANGED: (
        "the receiver has to log in anew: compare its C-line with line {line}"
    ),
    CloseReason.KICKED: (
        "nothing, if it is back by now: somebody sent it away with `cccamd kick`, after which a"
        " receiver logs in anew by itself"
    ),
    CloseReason.NETWORK_CHANGED: "add its network, {address}, to [network] allow in cccamd.toml",
    CloseReason.UNPAIRED: "pair it again with `cccamd pair`, if it should come back",
    CloseReason.NOT_READING: (
        "the receiver hangs, or its line is much too slow: look at it, and start it anew"
    ),
    CloseReason.ASKS_TOO_MUCH: (
        "look what asks so much there: a fault, or more receivers than [limits] in cccamd.toml"
        " has room for"
    ),
    CloseReason.GARBAGE: _STRANGE,
    CloseReason.INTERNAL_ERROR: _OUR_FAULT,
    CloseReason.SHUTDOWN: "nothing: cccamd was stopped, and the receiver comes again",
    CloseReason.WORKER_ENDED: _WORKER,
}
"""What to do about a client that has left, where it is not to look for the receiver."""


def explain_login(account: FLine, evidence: Evidence) -> Iterator[Finding]:
    """Say whether an account is logged in, and who was turned away."""
    clients = evidence.clients.get(account.user, ())
    if clients:
        for client in clients:
            yield _logged_in(client, evidence)
            yield from _services(client)
        yield from _refused_beside(account, clients, evidence)
    elif not evidence.live:
        text = "no server was asked, so it is not known whether this account is logged in"
        yield Finding(code="no-server", weight=Weight.NOTE, text=text)
    elif is_for_dvbapi(account, evidence):
        yield _no_dvbapi_client(evidence)
    elif evidence.config.server_listen_port == 0:
        yield explain_closed_port(evidence)
    else:
        yield from _not_logged_in(account, evidence)


def _logged_in(client: ClientStatus, evidence: Evidence) -> Finding:
    since = ago(evidence.at - client.connected_at)
    cards = "1 card" if client.cards == 1 else f"{client.cards} cards"
    way = f" by TLS, paired as {client.paired}," if client.paired else ""
    if client.version.startswith(DVBAPI):
        wanted = count(client.descrambling, "service")
        text = f"{client.program} is connected over dvbapi from {client.address} for {since}"
        text = f"{text}: {wanted} to be clear, {cards} to open them with"
        return Finding(code="logged-in", weight=Weight.GOOD, text=text)
    return Finding(
        code="logged-in",
        weight=Weight.GOOD,
        text=f"logged in from {client.address}{way} for {since}, and was told of {cards}",
    )


def _services(client: ClientStatus) -> Iterator[Finding]:
    """What is wanted clear over dvbapi, and cannot be."""
    for service in client.services:
        name = service.name or format_sid(service.sid)
        if service.ecm_pid and not service.ecms_asked:
            yield Finding(
                code="no-ecm-of-service",
                weight=Weight.NOTE,
                text=f"of service {name} on adapter {service.adapter} no ECM has come yet, though"
                f" {client.program} was asked for those on PID {service.ecm_pid}",
                change="see whether the program receives the channel, and whether it sends ECMs"
                " at all: some expect their softcam to read the tuner (docs/dvbapi.md)",
            )
        elif not service.ecm_pid:
            yield Finding(
                code="no-card-for-service",
                weight=Weight.BAD,
                text=f"service {name} on adapter {service.adapter} stays dark: no card for any of"
                " its CA systems is there, or may come as the files are",
                change="see which CAIDs the service has, and which of them a card or peer of"
                " yours has",
            )


def is_for_dvbapi(account: FLine, evidence: Evidence) -> bool:
    """Whether dvbapi clients are this account."""
    table = evidence.toml.dvbapi
    return table.enabled and table.account == account.user


def _no_dvbapi_client(evidence: Evidence) -> Finding:
    doors = " and ".join(evidence.toml.dvbapi.doors)
    return Finding(
        code="no-dvbapi-client",
        weight=Weight.NOTE,
        text=f"no program is connected over dvbapi, which is served at {doors}",
        change="see whether the program runs, and what it has for its softcam; tvheadend connects"
        " when something is watched, or within a minute (docs/dvbapi.md)",
    )


def _refused_beside(
    account: FLine, clients: tuple[ClientStatus, ...], evidence: Evidence
) -> Iterator[Finding]:
    """Tell of others who tried; not of attempts that the same receiver made before it got in."""
    refusals = reversed(evidence.recent.account(account.user).refusals.values())
    told = 0
    for refused in refusals:
        got_in = any(
            client.address == refused.last.address and client.connected_at > refused.last.at
            for client in clients
        )
        if not got_in and evidence.at - refused.last.at < REFUSALS_TOLD and told < REFUSALS_SHOWN:
            told += 1
            yield _refused(account, refused, evidence, beside=True)


def _not_logged_in(account: FLine, evidence: Evidence) -> Iterator[Finding]:
    memory = evidence.recent.account(account.user)
    left_at = memory.left.at if memory.left else 0.0
    refusals = [each for each in reversed(memory.refusals.values()) if each.last.at >= left_at]
    for refused in refusals[:REFUSALS_SHOWN]:
        yield _refused(account, refused, evidence, beside=False)
    if memory.left:
        if not refusals:
            yield _left(account, memory.left, evidence)
    elif not refusals:
        yield _never_seen(account, evidence)
        yield from _turned_away(evidence)


def _refused(account: FLine, refused: Refusals, evidence: Evidence, *, beside: bool) -> Finding:
    failure, times = refused.last, refused.times
    when = ago(evidence.at - failure.at)
    often = (
        ""
        if times == 1
        else f", {times} times within {ago(max(1.0, failure.at - refused.first_at))}"
    )
    where = f"{failure.address} was not let in{often}: {failure.reason}"
    change, setting = _advice(account, failure, evidence)
    return Finding(
        code="other-refused" if beside else "login-refused",
        weight=Weight.BAD,
        text=(
            f"another login as {account.user}: {when} ago {where}"
            if beside
            else f"not logged in: {when} ago {where}"
        ),
        change=change,
        setting=setting,
    )


def _advice(account: FLine, failure: LoginFailed, evidence: Evidence) -> tuple[str, Setting | None]:
    meaning = MEANINGS.get(failure.why, _OTHER_MEANING)
    setting = None
    if meaning.names is Names.F_LINE:
        setting = evidence.f_line(account)
    elif meaning.names is Names.MINIMUM_VERSION:
        setting = evidence.key(Names.MINIMUM_VERSION.value)
    return _filled(meaning.change, account, failure.address), setting


def _filled(text: str, account: FLine, address: str) -> str:
    host = account.host or "-"
    return text.format(user=account.user, line=account.line, address=address, host=host)


def _left(account: FLine, left: ClientLoggedOut, evidence: Evidence) -> Finding:
    return Finding(
        code="logged-out",
        weight=Weight.BAD,
        text=f"not logged in: it left {ago(evidence.at - left.at)} ago: {left.reason}",
        change=_filled(LEFT.get(left.why, _LOOK), account, left.address),
    )


def _never_seen(account: FLine, evidence: Evidence) -> Finding:
    port = evidence.config.server_listen_port
    return Finding(
        code="never-seen",
        weight=Weight.BAD,
        text="not logged in, and has not tried since this server started",
        change=(
            f"the receiver needs the line C: ADDRESS {port} {account.user} PASSWORD, with the"
            " address of this machine as the receiver sees it; then look for a firewall:"
            " `cccamd doctor` does"
        ),
    )


def _turned_away(evidence: Evidence) -> Iterator[Finding]:
    """Connections that could say no name: one of them may have been this account's."""
    for refused in list(evidence.recent.turned_away.values())[-STRANGERS_SHOWN:]:
        when = ago(evidence.at - refused.at)
        text = f"{when} ago a connection from {refused.address} was not let in: {refused.reason}"
        yield Finding(code="turned-away", weight=Weight.NOTE, text=text)


def explain_closed_port(evidence: Evidence) -> Finding:
    """Say that nobody can come in at all."""
    line = evidence.config.server_listen_port_line
    return Finding(
        code="port-closed",
        weight=Weight.BAD,
        text="nobody can log in: SERVER LISTEN PORT is 0, which closes the port",
        change="set SERVER LISTEN PORT to 12000, or leave the line out",
        setting=Setting(name="SERVER LISTEN PORT", file=evidence.config.file, line=line),
    )


# Users without an account.


def explain_missing(user: str, evidence: Evidence) -> Iterator[Finding]:
    """Say why there is no such account."""
    file = evidence.config.file
    for refused in evidence.config.refused_lines:
        if refused.name == "F" and refused.subject == user:
            fault = refused.fault
            yield Finding(
                code="f-line-refused",
                weight=Weight.BAD,
                text=(
                    f"line {fault.place.line} of {file} is not used: {fault.text}"
                    f" ({fault.code.value}); so there is no account {user}"
                ),
                change=fault.instead
                or f"mend line {fault.place.line}; `cccamd check` shows the place",
                setting=Setting(name="the F-line", file=file, line=fault.place.line),
            )
            yield from _strangers(evidence, user)
            return
    yield _unknown(user, evidence)
    yield from _strangers(evidence, user)


def _unknown(user: str, evidence: Evidence) -> Finding:
    file = evidence.config.file
    near = _nearest(user, evidence)
    text = f"no F-line in {file} has the user name {user}"
    change = add_account(file, user)
    if near:
        text += f"; did you mean {near}? Small and capital letters differ"
        change = (
            f"if {near} is meant, write that name, here and in the receiver's C-line; only if"
            f" {user} is somebody else, {change}"
        )
    return Finding(
        code="no-account",
        weight=Weight.BAD,
        text=text,
        change=change,
        setting=Setting(name="the F-lines", file=file),
    )


def _nearest(user: str, evidence: Evidence) -> str:
    users = [line.user for line in evidence.config.f_lines]
    users += [line.subject for line in evidence.config.refused_lines if line.name == "F"]
    same = [each for each in users if each.lower() == user.lower()]
    return next(iter(same or get_close_matches(user, users, n=1)), "")


def add_account(file: str, user: str = "USER") -> str:
    """Say how somebody gets an account."""
    return f"add a line to {file}: F: {user} PASSWORD"


def _strangers(evidence: Evidence, user: str) -> Iterator[Finding]:
    """Tell who tried: those who gave this name, or else the last ones of all."""
    all_of_them = list(evidence.recent.strangers)
    these = [failure for failure in all_of_them if failure.user == user]
    for failure in (these or all_of_them)[-STRANGERS_SHOWN:]:
        when = ago(evidence.at - failure.at)
        text = f"{when} ago somebody at {failure.address} was not let in: {failure.reason}"
        yield Finding(code="stranger", weight=Weight.NOTE, text=text)
