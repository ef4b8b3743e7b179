"""Which accounts see no card at all, and which line to change."""

from collections.abc import Sequence
from dataclasses import dataclass

from cccamd.cards import Card, Reason, SourceId, Verdict, Viewer, judge
from cccamd.doctor.finding import Check, Finding
from cccamd.doctor.finding import Verdict as Judgement
from cccamd.doctor.running import RunningCard, RunningStatus
from cccamd.doctor.wording import count, some_of
from cccamd.ids import (
    NO_NODE_ID,
    ShareId,
    format_caid,
    format_ident,
    parse_caid,
    parse_ident,
    parse_node_id,
)
from cccamd.setup.cccamcfg import Config, FLine
from cccamd.setup.cccamcfg import is_open as is_open_at
from cccamd.values import CardId, Provider

LINES_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCards:
    """The cards that accounts are judged by."""

    cards: tuple[Card, ...]
    names: tuple[str, ...]
    """Where each of them comes from, for people."""
    where: str
    """How we know of them."""
    complete: bool = True
    """False: there may be others that could not be asked for."""


def judge_accounts(config: Config, known: KnownCards, *, minute: int) -> list[Finding]:
    """Say who sees no card. `minute`: of the day, local time, for the time frames."""
    if not config.f_lines:
        return [_finding("", Judgement.ADVICE, "there is no account", "Write an F-line for it.")]
    if not known.cards:
        return [_judge_nothing(known)]
    verdicts = {line: _verdicts(line, config, known.cards) for line in config.f_lines}
    blind = [line for line, found in verdicts.items() if not any(one.visible for one in found)]
    findings = [_judge_blind(line, config, known, verdicts[line]) for line in blind]
    closed = [line for line in config.f_lines if line not in blind and not _is_open(line, minute)]
    findings += [_judge_closed(line) for line in closed]
    seeing = [line for line in config.f_lines if line not in blind]
    return findings + ([_sum_up(seeing, known, verdicts)] if seeing else [])


def _judge_nothing(known: KnownCards) -> Finding:
    if not known.complete:
        return _finding("", Judgement.NOT_CHECKED, f"no card is known: {known.where}")
    return _finding(
        "",
        Judgement.WARNING,
        f"there is no card ({known.where}), so everybody sees 0 cards",
        "Mend the C-lines first, or name a local card in cccamd.toml.",
    )


def _verdicts(line: FLine, config: Config, cards: Sequence[Card]) -> list[Verdict]:
    viewer = Viewer(account=line, node_id=NO_NODE_ID, global_limits=config.settings.global_limits)
    return [judge(viewer, card) for card in cards]


def _judge_blind(
    line: FLine, config: Config, known: KnownCards, verdicts: Sequence[Verdict]
) -> Finding:
    """The reason that most cards have in common gives the advice."""
    reasons = [verdict.reason for verdict in verdicts]
    commonest = max(reasons, key=reasons.count)
    why = _sentence(verdicts[reasons.index(commonest)])
    return _finding(
        line.user,
        Judgement.WARNING if known.complete else Judgement.ADVICE,
        f"sees 0 of {count(len(verdicts), 'card')}: {why}",
        _advice(commonest, line, config),
        _per_card(known, verdicts),
    )


def _sentence(verdict: Verdict) -> str:
    if verdict.reason is Reason.LIMITED and all(
        limit.number == 0 for limit in verdict.viewer.limits.values()
    ):
        return f"{verdict.text} (downhops 0 means: not for this client)"
    return verdict.text


def _advice(reason: Reason, line: FLine, config: Config) -> str:
    match reason:
        case Reason.LIMITED if line.limits:
            return (
                f"In the first braces of line {line.line} give the CAID a downhops of 1 or more:"
                " 1 is for this client only, 0 or no number is nothing."
            )
        case Reason.LIMITED:
            return "In GLOBAL LIMITS give the CAID a number of 1 or more."
        case Reason.TOO_FAR if line.downhops is not None and line.downhops < line.uphops:
            return f"Raise downhops, the second number in line {line.line}."
        case Reason.TOO_FAR:
            return f"Raise uphops, the first number behind the password in line {line.line}."
        case Reason.NOT_RESHARED:
            return "Ask the cards' owner for a downhops of 2 in the F-line that he gave you."
    return "Have the client use a node id of its own."


def _per_card(known: KnownCards, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    lines = [
        f"{name}, {_describe(verdict.card)}: {verdict.text}"
        for name, verdict in zip(known.names, verdicts, strict=True)
        if not verdict.visible
    ]
    rest = len(lines) - LINES_SHOWN
    return (*lines[:LINES_SHOWN], *([f"and {rest:,} more cards"] if rest > 0 else []))


def _describe(card: Card) -> str:
    idents = some_of([format_ident(provider.ident) for provider in card.providers])
    return f"CAID {format_caid(card.caid)} provider {idents or format_ident(0)} at hop {card.hop}"


def _is_open(line: FLine, minute: int) -> bool:
    return is_open_at(line.timeframes, minute)


def _judge_closed(line: FLine) -> Finding:
    return _finding(
        line.user,
        Judgement.ADVICE,
        f"gets no control words now: it is outside the time frames in line {line.line}",
        f"If that is not what you want, change the third braces of line {line.line}.",
    )


def _sum_up(
    seeing: Sequence[FLine], known: KnownCards, verdicts: dict[FLine, list[Verdict]]
) -> Finding:
    """Everybody else; a CAID that is kept from somebody is told, but it may well be wanted."""
    total = len(known.cards)
    partly = [line for line in seeing if not all(one.visible for one in verdicts[line])]
    evidence = (
        f"cards are seen by {len(seeing):,} of {count(len(verdicts), 'account')};"
        f" {count(total, 'card')} in all ({known.where})"
    )
    texts = [_hidden_caids(line, verdicts[line]) for line in partly]
    more = tuple(text for text in texts if text)[:LINES_SHOWN]
    return _finding("", Judgement.OK, evidence, more=more)


def _hidden_caids(line: FLine, verdicts: Sequence[Verdict]) -> str:
    """The CAIDs of which an account sees no card, with the reason of the first."""
    visible = {verdict.card.caid for verdict in verdicts if verdict.visible}
    hidden = {one.card.caid: one.text for one in verdicts if one.card.caid not in visible}
    if not hidden:
        return ""
    caids = some_of([format_caid(caid) for caid in hidden])
    return (
        f"{line.user} (line {line.line}) does not see CAID {caids}: {next(iter(hidden.values()))}"
    )


def _finding(
    subject: str,
    verdict: Judgement,
    evidence: str,
    advice: str = "",
    more: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        check=Check.ACCOUNTS,
        subject=subject,
        verdict=verdict,
        evidence=evidence,
        advice=advice,
        more=more,
    )


# Where the cards come from.


def running_cards(status: RunningStatus) -> KnownCards:
    """The cards that a running server has."""
    local = {source.name for source in status.sources} - {link.name for link in status.links}
    cards = tuple(
        _card(number, card, local=card.source in local)
        for number, card in enumerate(status.cards, 1)
    )
    names = tuple(card.source for card in status.cards)
    return KnownCards(cards=cards, names=names, where="as the running server has them")


def _card(number: int, card: RunningCard, *, local: bool) -> Card:
    return Card(
        serial=number,
        id=CardId(NO_NODE_ID, number, parse_caid(card.caid)),
        source=SourceId(0),
        share_id=ShareId(number),
        own_share_id=ShareId(number),
        remote_id=0,
        caid=parse_caid(card.caid),
        hop=card.hop,
        reshare=card.reshare,
        local=local,
        providers=tuple(Provider(parse_ident(ident)) for ident in card.idents),
        ua=bytes(8),
        path=tuple(parse_node_id(node) for node in card.path),
        assigned_sids=(),
        rejected_sids=(),
    )
