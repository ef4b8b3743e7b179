"""What there is to say about an account before any card: login, hours, EMMs, clones."""

from collections.abc import Iterator

from cccamd.facts import ClientStatus
from cccamd.ids import SHARED_NODE_IDS
from cccamd.setup.cccamcfg import FLine
from cccamd.setup.hours import clock, is_open
from cccamd.why.accounttable import explain_table
from cccamd.why.clones import explain_clones
from cccamd.why.evidence import Evidence
from cccamd.why.finding import Finding, Weight
from cccamd.why.logins import explain_login, is_for_dvbapi
from cccamd.why.newcamdports import explain_ports


def explain_account(account: FLine, evidence: Evidence) -> Iterator[Finding]:
    """Say what holds for all cards of an account."""
    yield from explain_login(account, evidence)
    if account.max_distance == 0 and evidence.config.upstream_lines:
        yield _reach(account, evidence)
    yield from explain_table(account, evidence)
    if account.timeframes:
        yield explain_hours(account, evidence)
    if account.host is not None:
        yield _host(account, evidence)
    yield _emms(account, evidence)
    if is_for_dvbapi(account, evidence) and not evidence.toml.dvbapi.au:
        text = "over dvbapi no EMMs are taken: au is false in [dvbapi] of cccamd.toml"
        yield Finding(code="no-emms-over-dvbapi", weight=Weight.NOTE, text=text)
    yield from explain_ports(account, evidence)
    yield from explain_clones(account.user, evidence)
    for client in evidence.clients.get(account.user, ()):
        if client.node_id in evidence.table.nodes:
            yield from _relay(client)


# Reach, hours, host, EMMs.


def _reach(account: FLine, evidence: Evidence) -> Finding:
    place = evidence.f_line(account)
    text = f"{place.words} lets {account.user} see cards of our own only (hop 0), none of servers"
    return Finding(code="own-cards-only", weight=Weight.NOTE, text=text, setting=place)


def explain_hours(account: FLine, evidence: Evidence) -> Finding:
    place = evidence.f_line(account)
    frames = ", ".join(map(str, account.timeframes))
    now = clock(evidence.minute)
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
