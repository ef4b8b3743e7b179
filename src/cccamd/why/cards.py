"""Why an account sees a card, or does not, or cannot use it: and what line to change."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Final

from cccamd.cards import (
    Card,
    CardTable,
    Exclusion,
    Reason,
    Rejected,
    SourceId,
    Verdict,
    View,
    Viewer,
    judge,
)
from cccamd.ids import (
    NO_NODE_ID,
    Ident,
    ShareId,
    Sid,
    format_caid,
    format_share_id,
)
from cccamd.values import Request, Service
from cccamd.why.answer import CardAnswer
from cccamd.why.answering import silence
from cccamd.why.evidence import Evidence, Question
from cccamd.why.finding import Finding, Weight
from cccamd.why.visibility import (
    explain_exclusion,
    explain_rejection,
    explain_verdict,
    format_idents,
)

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


def explaining_cards(
    question: Question, evidence: Evidence, viewer: Viewer | None
) -> Generator[None, None, CardsExplained]:
    """Look at every card that exists, taken or not; without a viewer only at what exists. There may
    be 100,000: each is a step, and some may go meanwhile."""
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
        yield
    for source, rejected in _rejected(question, evidence):
        total += 1
        if len(answers) < CARDS_LIMIT:
            answers.append(_not_taken(source, rejected, evidence))
        yield
    return CardsExplained(tuple(answers), total, seen, usable)


def _cards(question: Question, evidence: Evidence) -> Iterator[Card]:
    table, caid = evidence.table, question.caid
    for card in _all_cards(table) if caid is None else tuple(table.cards_with(caid)):
        if question.source in (None, evidence.source_name(card)):
            yield card


def _all_cards(table: CardTable) -> Iterator[Card]:
    """The table may change meanwhile."""
    for share_id in tuple(table.share_ids()):
        yield from table.ways_to(share_id)


def _rejected(question: Question, evidence: Evidence) -> Iterator[tuple[SourceId, Rejected]]:
    for source, status in evidence.sources.items():
        if question.source not in (None, status.name):
            continue
        if not evidence.table.knows(source):
            continue  # it has gone meanwhile
        for rejected in evidence.table.rejected_of(source):
            if question.caid in (None, rejected.offer.caid):
                yield source, rejected


@dataclass(frozen=True, slots=True)
class _Lens:
    """The question, seen with the eyes of the account."""

    question: Question
    evidence: Evidence
    view: View | None
    """What the account sees; None: no account or no CAID was asked for."""

    @classmethod
    def make(cls, question: Question, evidence: Evidence, viewer: Viewer | None) -> "_Lens":
        asked = viewer is not None and question.caid is not None
        view = _view(evidence, viewer) if asked and viewer is not None else None
        return cls(question, evidence, view)

    def fits(self, card: Card) -> bool:
        return self.exclusion(card) is None and not self._is_ignored(card)

    def exclusion(self, card: Card) -> Exclusion | None:
        """Ask the same code that serves requests."""
        question = self.question
        if self.view is None or question.caid is None:
            return None
        ident, sid = question.ident or _OPEN, question.sid or Sid(0)
        request = Request(question.caid, ident, ShareId(0), sid, b"")
        found = self.view.exclusion(card, request)
        return None if found is None or _is_open_end(found.reason, question) else found

    def answer(
        self, card: Card, verdict: Verdict | None, *, seen: bool, usable: bool
    ) -> CardAnswer:
        return CardAnswer(
            source=self.evidence.source_name(card),
            share_id=format_share_id(card.share_id),
            caid=format_caid(card.caid),
            idents=format_idents(card.providers),
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
        exclusion = self.exclusion(card)
        if verdict and verdict.visible and exclusion:
            yield explain_exclusion(exclusion, verdict, self.question, self.evidence)
        if self._is_ignored(card):
            yield self._ignored()
        if exclusion or self._is_ignored(card) or (verdict and not verdict.visible):
            return
        source = self.evidence.sources.get(card.source)
        mute = silence(source) if source is not None else None
        if mute is not None and source is not None:
            yield replace(mute, text=f"{source.name} {mute.text}")

    def _is_ignored(self, card: Card) -> bool:
        """Whether CCcam.prio keeps requests for this from going to an upstream."""
        question = self.question
        if question.caid is None:
            return False
        service = Service(question.caid, question.ident or _OPEN, question.sid or Sid(0))
        return self.evidence.priorities.ignores(card, service)

    def _ignored(self) -> Finding:
        setting = self.evidence.i_line()
        return Finding(
            code="ignored",
            weight=Weight.BAD,
            text=f"{setting.words} keeps requests for this from being passed on to any server",
            change=f"take the I-line for {self.question.service} out of {setting.file}",
            setting=setting,
        )


def _view(evidence: Evidence, viewer: Viewer) -> View:
    """Which way a request of a server may take depends on the card that it names, which a question
    does not: so that is left out here."""
    return View(
        evidence.table,
        Viewer(
            account=viewer.account,
            node_id=NO_NODE_ID,
            global_limits=viewer.global_limits,
            emm_allowed=viewer.emm_allowed,
        ),
    )


def _is_open_end(reason: Reason, question: Question) -> bool:
    """Whether a reason is due only to what the question leaves open."""
    if question.sid is None and reason in (Reason.SERVICE_UNKNOWN, Reason.SERVICE_DENIED):
        return True
    return question.ident is None and reason is Reason.IDENT_LIMITED


# Cards that are not in our table.


def _not_taken(source: SourceId, rejected: Rejected, evidence: Evidence) -> CardAnswer:
    card, status = rejected.offer, evidence.sources[source]
    return CardAnswer(
        source=status.name,
        share_id=format_share_id(card.share_id),
        caid=format_caid(card.caid),
        idents=format_idents(card.providers),
        hop=card.hop + 1,
        reshare=card.reshare,
        taken=False,
        seen=False,
        usable=False,
        findings=(explain_rejection(rejected, status.name, status.line, evidence),),
    )
