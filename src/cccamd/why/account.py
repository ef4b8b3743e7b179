"""What there is to say about an account before any card: login, hours, EMMs."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from cccamd.facts import ClientStatus
from cccamd.ids import SHARED_NODE_IDS
from cccamd.setup.cccamcfg import FLine, TimeFrame, is_open
from cccamd.watch import LoginFailed
from cccamd.why.evidence import Evidence
from cccamd.why.finding import Finding, Setting, Weight, ago
from cccamd.wire.link import CloseReason

STRANGERS_SHOWN: Final = 3


def explain_account(account: FLine, evidence: Evidence) -> Iterator[Finding]:
    """Say what holds for all cards of an account."""
    yield _login(account, evidence)
    if account.max_distance == 0 and evidence.config.c_lines:
        yield _reach(account, evidence)
    if account.timeframes:
        yield explain_hours(account, evidence)
    if account.host is not None:
        yield _host(account, evidence)
    yield _emms(account, evidence)
    client = evidence.clients.get(account.user)
    if client and client.node_id in evidence.table.nodes:
        yield from _relay(client)


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
            return
    yield _unknown(user, evidence)
    yield from _strangers(evidence)


def _unknown(user: str, evidence: Evidence) -> Finding:
    file = evidence.config.file
    users = [line.user for line in evidence.config.f_lines]
    near = get_close_matches(user, users, n=1) or [
        each for each in users if each.lower() == user.lower()
    ]
    hint = f"; did you mean {near[0]}? Small and capital letters differ" if near else ""
    return Finding(
        code="no-account",
        weight=Weight.BAD,
        text=f"no F-line in {file} has the user name {user}{hint}",
        change=add_account(file, user),
        setting=Setting(name="the F-lines", file=file),
    )


def add_account(file: str, user: str = "USER") -> str:
    """Say how somebody gets an account."""
    return f"add a line to {file}: F: {user} PASSWORD"


def _strangers(evidence: Evidence) -> Iterator[Finding]:
    for failure in list(evidence.recent.strangers)[-STRANGERS_SHOWN:]:
        when = ago(evidence.at - failure.at)
        text = f"{when} ago somebody at {failure.address} was not let in: {failure.reason}"
        yield Finding(code="stranger", weight=Weight.NOTE, text=text)


# The login.


def _login(account: FLine, evidence: Evidence) -> Finding:
    client = evidence.clients.get(account.user)
    if client:
        return _logged_in(client, evidence)
    if not evidence.live:
        return Finding(
            code="no-server",
            weight=Weight.NOTE,
            text="no server was asked, so it is not known whether this account is logged in",
        )
    if evidence.config.server_listen_port == 0:
        return explain_closed_port(evidence)
    memory = evidence.recent.account(account.user)
    left_at = memory.left.at if memory.left else 0.0
    if memory.refused and memory.refused.at >= left_at:
        return _refused(account, memory.refused, evidence)
    if memory.left:
        when = ago(evidence.at - memory.left.at)
        return Finding(
            code="logged-out",
            weight=Weight.BAD,
            text=f"not logged in: it left {when} ago: {memory.left.reason}",
            change="look whether the receiver is on and reaches this machine",
        )
    return _never_seen(account, evidence)


def _logged_in(client: ClientStatus, evidence: Evidence) -> Finding:
    since = ago(evidence.at - client.connected_at)
    cards = "1 card" if client.cards == 1 else f"{client.cards} cards"
    return Finding(
        code="logged-in",
        weight=Weight.GOOD,
        text=f"logged in from {client.address} for {since}, and was told of {cards}",
    )


def explain_closed_port(evidence: Evidence) -> Finding:
    line = evidence.config.server_listen_port_line
    return Finding(
        code="port-closed",
        weight=Weight.BAD,
        text="nobody can log in: SERVER LISTEN PORT is 0, which closes the port",
        change="set SERVER LISTEN PORT to 12000, or leave the line out",
        setting=Setting(name="SERVER LISTEN PORT", file=evidence.config.file, line=line),
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


def _refused(account: FLine, failure: LoginFailed, evidence: Evidence) -> Finding:
    change, setting = _advice(account, failure, evidence)
    when = ago(evidence.at - failure.at)
    return Finding(
        code="login-refused",
        weight=Weight.BAD,
        text=f"not logged in: {when} ago {failure.address} was not let in: {failure.reason}",
        change=change,
        setting=setting,
    )


def _advice(account: FLine, failure: LoginFailed, evidence: Evidence) -> tuple[str, Setting | None]:
    f_line = evidence.f_line(account)
    if CloseReason.WRONG_PASSWORD.value in failure.reason:
        text = f"make the password in the receiver's C-line that of line {account.line}"
        return f"{text}; small and capital letters differ", f_line
    if CloseReason.WRONG_ADDRESS.value in failure.reason:
        text = f"write {failure.address} at the end of line {account.line}, or nothing at all"
        return text, f_line
    if CloseReason.ALREADY_CONNECTED.value in failure.reason:
        return "give each receiver an F-line of its own: one F-line is one client", f_line
    if CloseReason.OLD_VERSION.value in failure.reason:
        text = "have the receiver announce a newer version, or lower MINIMUM CLIENT VERSION"
        return text, evidence.key("MINIMUM CLIENT VERSION")
    return "look at the receiver's log; `cccamd probe` tries the same login from here", None


# Reach, hours, host, EMMs.


def _reach(account: FLine, evidence: Evidence) -> Finding:
    place = evidence.f_line(account)
    text = f"{place.words} lets {account.user} see cards of our own only (hop 0), none of servers"
    return Finding(code="own-cards-only", weight=Weight.NOTE, text=text, setting=place)


def explain_hours(account: FLine, evidence: Evidence) -> Finding:
    place = evidence.f_line(account)
    frames = ", ".join(_frame(frame) for frame in account.timeframes)
    now = _clock(evidence.minute)
    if is_open(account.timeframes, evidence.minute):
        text = f"{place.words} gives {account.user} control words at {frames} only; it is {now} now"
        return Finding(code="hours-open", weight=Weight.NOTE, text=text, setting=place)
    return Finding(
        code="hours-closed",
        weight=Weight.BAD,
        text=(
            f"{place.words} gives {account.user} control words at {frames} only, and it is {now}"
            " now: every request is refused, though all cards are shown"
        ),
        change=f"widen the third braces of line {place.line}, or leave them empty: {{ }}",
        setting=place,
    )


def _frame(frame: TimeFrame) -> str:
    return f"{_clock(frame.begin)}-{_clock(frame.end)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _host(account: FLine, evidence: Evidence) -> Finding:
    place = evidence.f_line(account)
    text = f"{place.words} lets {account.user} in from {account.host} only"
    return Finding(code="host", weight=Weight.NOTE, text=text, setting=place)


def _emms(account: FLine, evidence: Evidence) -> Finding:
    """Say which of the three switches keeps its EMMs back (docs/config.md section 6.3)."""
    user, settings = account.user, evidence.config.settings
    if settings.disable_emm:
        setting, change = evidence.key("DISABLE EMM"), "set DISABLE EMM to no"
    elif not settings.allow_emm:
        setting, change = evidence.key("ALLOW EMM"), "set ALLOW EMM to yes"
    elif not account.allowemm:
        setting = evidence.f_line(account)
        change = f"make the fifth field (allowemm) of line {account.line} a 1"
    else:
        text = f"EMMs of {user}, which keep cards up to date, are passed on"
        return Finding(code="emm", weight=Weight.GOOD, text=text)
    return Finding(
        code="no-emm",
        weight=Weight.NOTE,
        text=f"EMMs of {user} are not passed on, which does no harm to the picture:"
        f" {setting.words} says so",
        change=f"{change}, if {user} shall keep cards up to date",
        setting=setting,
    )


def _relay(client: ClientStatus) -> Iterator[Finding]:
    if client.node_id in SHARED_NODE_IDS:
        return
    yield Finding(
        code="relay",
        weight=Weight.NOTE,
        text=(
            f"{client.account} is a server that our own requests may reach: each of its requests"
            " goes the way of the card it names and no other, so that none comes back to us"
        ),
    )
