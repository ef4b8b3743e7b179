"""Why a card is taken or not, told to an account or not, and of use to it or not: in words."""

from collections.abc import Iterable

from cccamd.cards import (
    Exclusion,
    Limit,
    Reason,
    Rejected,
    Rejection,
    Rights,
    Verdict,
    Viewer,
    find_limit,
)
from cccamd.ids import (
    Caid,
    Ident,
    format_caid,
    format_ident,
    format_node_id,
    format_service,
    format_sid,
)
from cccamd.values import Provider, Service
from cccamd.why.accounttable import account_table
from cccamd.why.clones import CLONE_CHANGE, clone_of, clone_text
from cccamd.why.evidence import Evidence, Question
from cccamd.why.finding import Finding, Setting, Weight, limit_entry

# Whether we take it.


def explain_rejection(rejected: Rejected, source: str, line: int, evidence: Evidence) -> Finding:
    """Say what to change so that it is taken; `source` and `line` are those of its C-line."""
    match rejected.reason:
        case Rejection.LOOP:
            return _passed_here(evidence)
        case Rejection.IGNORED_NODE:
            return _ignored_node(rejected, evidence)
        case Rejection.TOO_FEW_DOWNHOPS:
            return _too_few_downhops(rejected, source, line, evidence)
        case Rejection.LIMITED:
            return _beyond_limits(rejected, line, evidence)
        case Rejection.NOT_LISTED:
            return Finding(
                code="not-taken-not-listed",
                weight=Weight.BAD,
                text=rejected.text,
                change="add it to caids or idents there, if it is welcome",
                setting=evidence.c_line(line) if line else None,
            )
        case _:
            return Finding(code="not-taken", weight=Weight.BAD, text=rejected.text)


def _passed_here(evidence: Evidence) -> Finding:
    text = "it has passed this server already: taking it back would make a loop"
    clone = clone_of(evidence.table.own_node_id, evidence)
    if clone is None:
        return Finding(code="not-taken-loop", weight=Weight.NOTE, text=text)
    text = f"by its node ids {text}; but {clone_text(clone)}"
    return Finding(code="not-taken-loop", weight=Weight.BAD, text=text, change=CLONE_CHANGE)


def _ignored_node(rejected: Rejected, evidence: Evidence) -> Finding:
    ignored = evidence.config.settings.ignore_nodes
    node_id = next(node for node in rejected.offer.path if node in ignored)
    setting = evidence.ignore_node(node_id)
    return Finding(
        code="not-taken-ignored-node",
        weight=Weight.BAD,
        text=f"it came by node {format_node_id(node_id)}, which {setting.words} leaves out",
        change="take that line out, if cards that came this way are welcome",
        setting=setting,
    )


def _too_few_downhops(rejected: Rejected, source: str, line: int, evidence: Evidence) -> Finding:
    setting, name = evidence.key("MINIMUM DOWNHOPS"), "MINIMUM DOWNHOPS"
    minimum = evidence.config.settings.minimum_downhops
    keys = {each.key for each in evidence.config.upstream_lines if each.line == line}
    for table in evidence.toml.upstreams:
        if table.key in keys and table.minimum_downhops is not None:
            place = evidence.toml.place(table.heading)
            setting = Setting(name="its [[upstream]]", file=place.file, line=place.line)
            minimum, name = table.minimum_downhops, "minimum_downhops"
    reshare = rejected.offer.reshare
    return Finding(
        code="not-taken-downhops",
        weight=Weight.BAD,
        text=(
            f"{source} gives it with reshare {reshare}, and {setting.words} takes cards"
            f" from {minimum} on only"
        ),
        change=f"lower {name} to {reshare}",
        setting=setting,
    )


def _beyond_limits(rejected: Rejected, line: int, evidence: Evidence) -> Finding:
    card, setting = rejected.offer, evidence.c_line(line)
    ident = format_ident(card.providers[0].ident) if card.providers else "0"
    return Finding(
        code="not-taken-limited",
        weight=Weight.BAD,
        text=(
            f"it is at hop {card.hop + 1}, and the limits of {setting.words} take it from"
            " nearer by only, or not at all"
        ),
        change=(
            f"put {format_caid(card.caid)}:{ident}:{card.hop + 1} into the braces of line"
            f" {setting.line}"
        ),
        setting=setting,
    )


# Whether an account is told of it.


def explain_verdict(verdict: Verdict, evidence: Evidence) -> Finding:
    """Say why an account is told of a card or not."""
    match verdict.reason:
        case Reason.VISIBLE:
            return _visible(verdict, evidence)
        case Reason.LOOP:
            return _loop(verdict, evidence)
        case Reason.NOT_RESHARED:
            return _not_reshared(verdict, evidence)
        case Reason.TOO_FAR:
            return _too_far(verdict, evidence)
        case Reason.OTHER_GROUP:
            return _other_group(verdict, evidence)
        case Reason.NOT_GRANTED:
            return _not_granted(verdict, evidence)
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


def _loop(verdict: Verdict, evidence: Evidence) -> Finding:
    user = verdict.viewer.account.user
    clone = clone_of(verdict.viewer.node_id, evidence)
    if clone is not None:
        return Finding(
            code="loop",
            weight=Weight.BAD,
            text=(
                f"by its node ids it came to us through {user} itself, and giving it back would"
                f" make a loop; but {clone_text(clone)}"
            ),
            change=CLONE_CHANGE,
        )
    return Finding(
        code="loop",
        weight=Weight.NOTE,
        text=f"it came to us through {user} itself: giving it back would make a loop",
        change=(
            f"nothing, if {user} is a server with this card; else its node id was copied from"
            f" another server: {CLONE_CHANGE}"
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


def _other_group(verdict: Verdict, evidence: Evidence) -> Finding:
    account, place = verdict.viewer.account, account_table(verdict.viewer.account, evidence)
    return Finding(
        code="other-group",
        weight=Weight.BAD,
        text=verdict.text,
        change=f"give {account.user} and the source a number in common: groups of {place.words},"
        " and groups of the [[upstream]] or [[card]]",
        setting=place,
    )


def _not_granted(verdict: Verdict, evidence: Evidence) -> Finding:
    account, place = verdict.viewer.account, account_table(verdict.viewer.account, evidence)
    return Finding(
        code="not-granted",
        weight=Weight.BAD,
        text=f"caids, idents or services of {place.words} keep it from {account.user}",
        change="add it there",
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


# Whether it can serve what was asked about.


def explain_exclusion(
    exclusion: Exclusion, verdict: Verdict, question: Question, evidence: Evidence
) -> Finding:
    """Say it for an exclusion of the card table."""
    account = verdict.viewer.account
    text, change, setting = exclusion.text, "", None
    match exclusion.reason:
        case Reason.SERVICE_DENIED if not any(_matches(each, question) for each in account.sids):
            setting = account_table(account, evidence)
            text = f"services of {setting.words} keep this service from {account.user}"
            change = "change that list, or the [services] tables that it names"
        case Reason.SERVICE_NOT_GIVEN:
            text = f"{exclusion.text}: {evidence.source_name(exclusion.card)} is not asked for it"
            change = "change services of its [[upstream]]"
        case Reason.SERVICE_DENIED:
            setting = evidence.f_line(account)
            text = _denied(account, question, setting)
            change = f"take that entry out of the second braces of line {setting.line}"
        case Reason.IDENT_LIMITED:
            setting = evidence.f_line(account)
            if not account.limits:
                setting = evidence.key("GLOBAL LIMITS")
            ident = format_ident(question.ident or 0)
            text = f"the limits of {setting.words} keep its provider {ident} from {account.user}"
            change = f"give {_pair(exclusion, ident)} the number 1 or more there"
        case Reason.IDENT_MISSING:
            has = ", ".join(format_ident(each.ident) for each in exclusion.card.providers)
            text = f"{exclusion.text}; it has {has}"
        case Reason.SERVICE_NOT_ASSIGNED if exclusion.card.local:
            setting = evidence.toml_table(f'[[card]] name "{evidence.source_name(exclusion.card)}"')
            text = f"{exclusion.text}: {setting.words} lists the services that it serves"
            change = f"add {format_sid(question.sid or 0)} to its sids"
        case Reason.SERVICE_NOT_ASSIGNED | Reason.SERVICE_REJECTED:
            text = f"{exclusion.text}, says {evidence.source_name(exclusion.card)}"
            change = "only its owner can change that"
    return Finding(
        code=exclusion.reason.name.lower().replace("_", "-"),
        weight=Weight.BAD,
        text=text,
        change=change,
        setting=setting,
    )


def _pair(exclusion: Exclusion, ident: str) -> str:
    return f"{format_caid(exclusion.card.caid)}:{ident}"


def _denied(account: Rights, question: Question, setting: Setting) -> str:
    entry = next((each for each in account.sids if _matches(each, question)), None)
    shown = f" {{ {format_service(*_parts(entry))} }}" if entry else ""
    return f"the second braces{shown} of {setting.words} keep this service from {account.user}"


def _matches(service: Service, question: Question) -> bool:
    return (
        service.caid in (0, question.caid)
        and (not question.ident or service.ident in (0, question.ident))
        and (not question.sid or service.sid == question.sid)
    )


def _parts(service: Service) -> tuple[int, int, int]:
    return service.caid, service.ident, service.sid
