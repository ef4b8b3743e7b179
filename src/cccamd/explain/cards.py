"""Why an account sees a card, or does not, or cannot use it: and what line to change."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cccamd.cards import Card, Exclusion, Reason, Rejected, SourceId, Verdict, View, Viewer, judge
from cccamd.config import Limit
from cccamd.explain.answer import CardAnswer, Finding, Weight
from cccamd.explain.evidence import Evidence, Question
from cccamd.explain.intake import explain_rejection
from cccamd.explain.phrases import limit_entry
from cccamd.explain.services import explain_exclusion
from cccamd.ids import (
    NO_NODE_ID,
    Caid,
    Ident,
    ShareId,
    Sid,
    format_caid,
    format_ident,
    format_share_id,
)
from cccamd.wire import EcmRequest, Provider

CARDS_LIMIT: Final = 2000
"""More than anybody reads, and quick enough not to be felt by those who watch."""
_OPEN: Final = Ident(0)


@dataclass(frozen=True, slots=True)
class CardsExplained:
    """The cards in question. `total` counts those beyond the limit, too."""

    cards: tuple[CardAnswer, ...]
    total: int
    seen: int
    usable: int


def explain_cards(question: Question, evidence: Evidence, viewer: Viewer | None) -> CardsExplained:
    """Look at every card that exists, taken or not; without a viewer only at what exists."""
    lens = _Lens.make(question, evidence, viewer)
    answers: list[CardAnswer] = []
    total = seen = usable = 0
    for card in _cards(question, evidence):
        verdict = judge(viewer, card) if viewer else None
        is_seen = verdict.visible if verdict else question.account is None
        is_usable = is_seen and lens.fits(card)
        total, seen, usable = total + 1, seen + is_seen, usable + is_usable
        if len(answers) < CARDS_LIMIT:
            answers.append(lens.answer(card, verdict, seen=is_seen, usable=is_usable))
    for source, rejected in _rejected(question, evidence):
        total += 1
        if len(answers) < CARDS_LIMIT:
            answers.append(_not_taken(source, rejected, evidence))
    return CardsExplained(tuple(answers), total, seen, usable)


def _cards(question: Question, evidence: Evidence) -> Iterator[Card]:
    table, caid = evidence.table, question.caid
    for card in table.cards() if caid is None else table.cards_with(caid):
        if question.source in (None, evidence.source_name(card)):
            yield card


def _rejected(question: Question, evidence: Evidence) -> Iterator[tuple[SourceId, Rejected]]:
    for source, status in evidence.sources.items():
        if question.source not in (None, status.name):
            continue
        for rejected in evidence.table.rejected_of(source):
            if question.caid in (None, rejected.announcement.caid):
                yield source, rejected


@dataclass(frozen=True, slots=True)
class _Lens:
    """The question, seen with the eyes of the account."""

    question: Question
    evidence: Evidence
    exclusions: dict[Card, Exclusion]

    @classmethod
    def make(cls, question: Question, evidence: Evidence, viewer: Viewer | None) -> "_Lens":
        found: Iterable[Exclusion] = ()
        if viewer and question.caid is not None:
            found = _exclusions(question, evidence, viewer, question.caid)
        return cls(question, evidence, {exclusion.card: exclusion for exclusion in found})

    def fits(self, card: Card) -> bool:
        return card not in self.exclusions and not self._is_ignored(card)

    def answer(
        self, card: Card, verdict: Verdict | None, *, seen: bool, usable: bool
    ) -> CardAnswer:
        return CardAnswer(
            source=self.evidence.source_name(card),
            share_id=format_share_id(card.share_id),
            caid=format_caid(card.caid),
            idents=_idents(card.providers),
            hop=card.hop,
            reshare=card.reshare,
            taken=True,
            seen=seen,
            usable=usable,
            findings=tuple(self._findings(card, verdict)),
        )

    def _findings(self, card: Card, verdict: Verdict | None) -> Iterator[Finding]:
        if verdict is not None:
            yield explain_verdict(verdict, self.evidence)
        exclusion = self.exclusions.get(card)
        if verdict and verdict.visible and exclusion:
            yield explain_exclusion(exclusion, verdict, self.question, self.evidence)
        if self._is_ignored(card):
            yield self._ignored()

    def _is_ignored(self, card: Card) -> bool:
        """Whether CCcam.prio keeps requests for this from going to an upstream."""
        question = self.question
        if question.caid is None:
            return False
        service = (question.caid, question.ident or _OPEN, question.sid or Sid(0))
        return self.evidence.priorities.ignores(card, service)

    def _ignored(self) -> Finding:
        setting = self.evidence.places.i_line()
        return Finding(
            code="ignored",
            weight=Weight.BAD,
            text=f"{setting.words} keeps requests for this from being passed on to any server",
            change=f"take the I-line for {self.question.service} out of {setting.file}",
            setting=setting,
        )


def _exclusions(
    question: Question, evidence: Evidence, viewer: Viewer, caid: Caid
) -> Iterator[Exclusion]:
    """Ask the same code that serves requests. Which way a request of a server may take depends
    on the card that it names, which a question does not: so that is left out here."""
    view = View(
        evidence.table,
        Viewer(
            account=viewer.account,
            node_id=NO_NODE_ID,
            global_limits=viewer.global_limits,
            emm_allowed=viewer.emm_allowed,
        ),
    )
    ident, sid = question.ident or _OPEN, question.sid or Sid(0)
    request = EcmRequest(caid, ident, ShareId(0), sid, b"")
    for exclusion in view.explain(request):
        if not _is_open_end(exclusion.reason, question):
            yield exclusion


def _is_open_end(reason: Reason, question: Question) -> bool:
    """Whether a reason is due only to what the question leaves open."""
    if question.sid is None and reason in (Reason.SERVICE_UNKNOWN, Reason.SERVICE_DENIED):
        return True
    return question.ident is None and reason is Reason.IDENT_LIMITED


# Whether a card is shown.


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
    place = evidence.places.f_line(account)
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
    return set(_idents(verdict.card.providers)) - set(_idents(verdict.providers))


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
        setting=evidence.places.c_line(source.line) if source and source.line else None,
    )


def _too_far(verdict: Verdict, evidence: Evidence) -> Finding:
    account, hop = verdict.viewer.account, verdict.card.hop
    place = evidence.places.f_line(account)
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
    f_line = evidence.places.f_line(account)
    place = f_line if own else evidence.places.key("GLOBAL LIMITS")
    entries = responsible_limits(verdict.viewer, card.caid, card.providers)
    shown = ", ".join(dict.fromkeys(limit_entry(limit) for limit in entries))
    wanted = f"{format_caid(card.caid)}:{next(iter(_idents(card.providers)), '0')}:1"
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
    for provider in tuple(providers) or (Provider(_OPEN),):
        keys = ((caid, provider.ident), (caid, 0), (0, provider.ident), (0, 0))
        limit = next((viewer.limits[key] for key in keys if key in viewer.limits), None)
        if limit is not None and limit.number == 0:
            found.append(limit)
    return found


# Cards that are not in our table.


def _not_taken(source: SourceId, rejected: Rejected, evidence: Evidence) -> CardAnswer:
    card = rejected.announcement
    return CardAnswer(
        source=evidence.sources[source].name,
        share_id=format_share_id(card.share_id),
        caid=format_caid(card.caid),
        idents=_idents(card.providers),
        hop=card.hop + 1,
        reshare=card.reshare,
        taken=False,
        seen=False,
        usable=False,
        findings=(explain_rejection(rejected, evidence.sources[source], evidence),),
    )


def _idents(providers: Iterable[Provider]) -> tuple[str, ...]:
    return tuple(format_ident(provider.ident) for provider in providers)
