"""Which accounts see no card at all, and which line to change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from cccamd.cards import OPEN, Card, SourceId, Verdict, judge
from cccamd.facts import CardStatus, SourceKind, SourceStatus
from cccamd.ids import NO_NODE_ID, format_caid, format_ident
from cccamd.setup.cccamcfg import FLine
from cccamd.setup.hours import is_open
from cccamd.setup.logins import Accesses, accesses_of
from cccamd.values import CardId, Provider
from cccamd.why.account import explain_hours
from cccamd.why.accounttable import explain_table
from cccamd.why.diagnosis import Check, Diagnosis, Grade, diagnose
from cccamd.why.evidence import Evidence
from cccamd.why.finding import Finding, Weight
from cccamd.why.logins import add_account
from cccamd.why.sources import explain_emptiness
from cccamd.why.visibility import explain_verdict, format_idents
from cccamd.wording import count, some_of

LINES_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCards:
    """The cards that accounts are judged by."""

    cards: tuple[Card, ...]
    """Their sources are those of the evidence."""
    where: str
    """How we know of them."""
    complete: bool = True
    """False: there may be others that could not be asked for."""


_accounts = partial(diagnose, Check.ACCOUNTS)


def judge_accounts(known: KnownCards, evidence: Evidence) -> list[Diagnosis]:
    """Say who sees no card, or gets no control words now."""
    accounts = evidence.config.f_lines
    if not accounts:
        change = add_account(evidence.config.file)
        return [_accounts(Grade.ADVICE, "no-accounts", "there is no account", change)]
    if not known.cards:
        return [_judge_nothing(known, evidence)]
    verdicts = {line: _verdicts(line, known, evidence) for line in accounts}
    seeing = [line for line, found in verdicts.items() if any(one.visible for one in found)]
    blind = [line for line in accounts if line not in seeing]
    closed = [line for line in seeing if not is_open(line.timeframes, evidence.minute)]
    found = [_judge_blind(known, verdicts[line], evidence) for line in blind]
    found += [_judge_closed(line, evidence) for line in closed]
    found += [
        Diagnosis(check=Check.ACCOUNTS, subject=line.user, grade=Grade.ADVICE, finding=finding)
        for line in seeing
        for finding in explain_table(line, evidence)
        if finding.code in ("expired", "hours-closed")
    ]
    return found + ([_sum_up(seeing, known, verdicts, evidence)] if seeing else [])


def _judge_nothing(known: KnownCards, evidence: Evidence) -> Diagnosis:
    if not evidence.sources:
        finding = explain_emptiness(evidence)
        return Diagnosis(check=Check.ACCOUNTS, grade=Grade.WARNING, finding=finding)
    if not known.complete:
        return _accounts(Grade.NOT_CHECKED, "no-cards", f"no card is known: {known.where}")
    return _accounts(
        Grade.WARNING,
        "no-cards",
        f"there is no card ({known.where}), so everybody sees 0 cards",
        "Mend the C-lines first, or name a local card in cccamd.toml.",
    )


def _verdicts(line: FLine, known: KnownCards, evidence: Evidence) -> list[Verdict]:
    return [judge(evidence.viewer(line), card) for card in known.cards]


def _judge_blind(known: KnownCards, verdicts: Sequence[Verdict], evidence: Evidence) -> Diagnosis:
    """The reason that most cards have in common gives the advice."""
    reasons = [verdict.reason for verdict in verdicts]
    commonest = max(reasons, key=reasons.count)
    why = explain_verdict(verdicts[reasons.index(commonest)], evidence)
    return Diagnosis(
        check=Check.ACCOUNTS,
        subject=verdicts[0].viewer.account.user,
        grade=Grade.WARNING if known.complete and why.weight is Weight.BAD else Grade.ADVICE,
        finding=Finding(
            code=why.code,
            weight=why.weight,
            text=f"sees 0 of {count(len(verdicts), 'card')}: {why.text}",
            change=why.change,
            setting=why.setting,
        ),
        more=_per_card(verdicts, evidence),
    )


def _per_card(verdicts: Sequence[Verdict], evidence: Evidence) -> tuple[str, ...]:
    lines = [
        f"{_describe(verdict.card, evidence)}: {explain_verdict(verdict, evidence).text}"
        for verdict in verdicts[:LINES_SHOWN]
    ]
    rest = len(verdicts) - LINES_SHOWN
    return (*lines, f"and {rest:,} more cards") if rest > 0 else tuple(lines)


def _describe(card: Card, evidence: Evidence) -> str:
    idents = some_of(format_idents(card.providers)) or format_ident(0)
    way = f"CAID {format_caid(card.caid)} provider {idents} at hop {card.hop}"
    return f"{evidence.source_name(card)}, {way}"


def _judge_closed(line: FLine, evidence: Evidence) -> Diagnosis:
    finding = explain_hours(line, evidence)
    return Diagnosis(check=Check.ACCOUNTS, subject=line.user, grade=Grade.ADVICE, finding=finding)


def _sum_up(
    seeing: Sequence[FLine],
    known: KnownCards,
    verdicts: Mapping[FLine, Sequence[Verdict]],
    evidence: Evidence,
) -> Diagnosis:
    """Everybody else; a CAID that is kept from somebody is told, but it may well be wanted."""
    text = (
        f"cards are seen by {len(seeing):,} of {count(len(verdicts), 'account')};"
        f" {count(len(known.cards), 'card')} in all ({known.where})"
    )
    texts = [_hidden_caids(line, verdicts[line], evidence) for line in seeing]
    more = tuple(text for text in texts if text)[:LINES_SHOWN]
    return _accounts(Grade.OK, "seen", text, more=more)


def _hidden_caids(line: FLine, verdicts: Sequence[Verdict], evidence: Evidence) -> str:
    """The CAIDs of which an account sees no card, with the reason of the first."""
    visible = {verdict.card.caid for verdict in verdicts if verdict.visible}
    hidden = {one.card.caid: one for one in verdicts if one.card.caid not in visible}
    if not hidden:
        return ""
    caids = some_of([format_caid(caid) for caid in hidden])
    why = explain_verdict(next(iter(hidden.values())), evidence).text
    return f"{line.user} (line {line.line}) does not see CAID {caids}: {why}"


def running_cards(cards: Sequence[CardStatus], evidence: Evidence) -> KnownCards:
    """The cards that a running server has, with the numbers of its sources, and their groups."""
    accesses = accesses_of(evidence.config, evidence.toml)
    by_name = {status.name: (source, status) for source, status in evidence.sources.items()}
    known = [(card, by_name.get(card.source, (SourceId(0), None))) for card in cards]
    return KnownCards(
        cards=tuple(_card(card, source, status, accesses) for card, (source, status) in known),
        where="as the running server has them",
    )


def _card(
    card: CardStatus, source: SourceId, status: SourceStatus | None, accesses: Accesses
) -> Card:
    local = status is not None and status.kind is SourceKind.LOCAL
    key = card.source, status.line if status is not None else 0
    return Card(
        serial=card.own_share_id,
        id=CardId(NO_NODE_ID, card.own_share_id, card.caid),
        source=source,
        share_id=card.share_id,
        own_share_id=card.own_share_id,
        remote_id=0,
        caid=card.caid,
        hop=card.hop,
        reshare=card.reshare,
        local=local,
        providers=tuple(Provider(ident) for ident in card.idents),
        ua=bytes(8),
        path=card.path,
        assigned_sids=card.assigned_sids,
        rejected_sids=card.rejected_sids,
        access=accesses.get(key, OPEN),
    )
