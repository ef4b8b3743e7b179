"""Why an account is told of a card, or is not, in words."""

from collections.abc import Iterable

from cccamd.cards import Reason, Verdict, Viewer, find_limit
from cccamd.ids import Caid, Ident, format_caid, format_ident
from cccamd.setup.cccamcfg import Limit
from cccamd.why.answer import Finding, Weight
from cccamd.why.evidence import Evidence
from cccamd.why.phrases import limit_entry
from cccamd.wire.cccam import Provider


def explain_verdict(verdict: Verdict, evidence: Evidence) -> Finding:
    """Say why an account is told of a card or not."""
    match verdict.reason:
        case Reason.VISIBLE:
            return _visible(verdict, evidence)
        case Reason.LOOP:
            return _loop(verdict)
        case Reason.NOT_RESHARED:
            return _not_reshared(verdict, evidence)
        case Reason.TOO_FAR:
            return _too_far(verdict, evidence)
        case _:
            return _limited(verdict, evidence)


def _visible(verdict: Verdict, evidence: Evidence) -> Finding:
    account, card = verdict.viewer.account, verdict.card
    place = evidence.f_line(account)
    further = (
        f"{account.user} may pass it on {_hops(verdict.reshare)}"
        if verdict.reshare
        else f"it goes no further than to {account.user}"
    )
    text = (
        f"hop {card.hop} is within the {account.max_distance} that {place.words} allows; {further}"
    )
    if hidden := sorted(_hidden(verdict)):
        text += f"; its providers {', '.join(hidden)} are kept back by limits"
    return Finding(code="seen", weight=Weight.GOOD, text=text, setting=place)


def _hops(number: int) -> str:
    return "one hop" if number == 1 else f"{number} hops"


def _hidden(verdict: Verdict) -> set[str]:
    return set(format_idents(verdict.card.providers)) - set(format_idents(verdict.providers))


def _loop(verdict: Verdict) -> Finding:
    user = verdict.viewer.account.user
    return Finding(
        code="loop",
        weight=Weight.NOTE,
        text=f"it came to us through {user} itself: giving it back would make a loop",
        change=(
            f"nothing, if {user} is a server with this card; else its node id was copied from"
            " another server: delete the node id file of one of them"
        ),
    )


def _not_reshared(verdict: Verdict, evidence: Evidence) -> Finding:
    name = evidence.source_name(verdict.card)
    source = evidence.sources.get(verdict.card.source)
    return Finding(
        code="not-reshared",
        weight=Weight.BAD,
        text=f"{name} gives it to us alone (reshare 0), so it may not be passed on",
        change=(
            f"only the owner of {name} can change that: there, our F-line needs limits that let"
            " cards go a level further, { 0:0:2 } for instance"
        ),
        setting=evidence.c_line(source.line) if source and source.line else None,
    )


def _too_far(verdict: Verdict, evidence: Evidence) -> Finding:
    account, hop = verdict.viewer.account, verdict.card.hop
    place = evidence.f_line(account)
    fields = ["third field (uphops)"] if account.uphops < hop else []
    if account.downhops is not None and account.downhops < hop:
        fields.append("fourth field (downhops)")
    change = f"raise the {' and the '.join(fields)} of line {place.line} to {hop}"
    return Finding(
        code="too-far",
        weight=Weight.BAD,
        text=(
            f"{place.words} lets {account.user} see cards up to hop {account.max_distance};"
            f" this card is at hop {hop}"
        ),
        change=change,
        setting=place,
    )


def _limited(verdict: Verdict, evidence: Evidence) -> Finding:
    account, card = verdict.viewer.account, verdict.card
    own = bool(account.limits)
    f_line = evidence.f_line(account)
    place = f_line if own else evidence.key("GLOBAL LIMITS")
    entries = responsible_limits(verdict.viewer, card.caid, card.providers)
    shown = ", ".join(dict.fromkeys(limit_entry(limit) for limit in entries))
    wanted = f"{format_caid(card.caid)}:{next(iter(format_idents(card.providers)), '0')}:1"
    braces = f"the first braces of line {place.line}" if own else place.words
    change = f"put {wanted} into {braces} (1: for {account.user} alone; more: to be passed on)"
    if not own:
        change += f", or give line {f_line.line} limits of its own"
    return Finding(
        code="limited",
        weight=Weight.BAD,
        text=f"the limits {{ {shown} }} of {place.words} keep it from {account.user}",
        change=change,
        setting=place,
    )


def responsible_limits(viewer: Viewer, caid: Caid, providers: Iterable[Provider]) -> list[Limit]:
    """Find the entries that give nothing of a card, the most specific of each provider."""
    found = []
    for provider in tuple(providers) or (Provider(Ident(0)),):
        limit = find_limit(viewer.limits, caid, provider.ident)
        if limit is not None and limit.number == 0:
            found.append(limit)
    return found


def format_idents(providers: Iterable[Provider]) -> tuple[str, ...]:
    """Show providers without their addresses."""
    return tuple(format_ident(provider.ident) for provider in providers)
