"""How the last requests went: who was considered, asked, late; and why the winner won."""

from collections.abc import Iterator
from typing import Final

from cccamd.cards import Card
from cccamd.ids import Caid, Ident, Sid, format_caid, format_service
from cccamd.routing import CardStep, Choice, Event, Rank, Ranked, Result, Trace
from cccamd.values import Outcome
from cccamd.why.answer import EcmStory, StoryCard, StoryStep
from cccamd.why.evidence import Evidence, Question, TracedEcm

STORIES_LIMIT: Final = 8
_ASKED: Final = frozenset({Event.ASKED, Event.ASKED_ALSO, Event.TRIED})
_NO_TROUBLES: Final = _ASKED | {Outcome.ANSWERED, Event.HELD, Event.LET_GO}


def explain_ecms(question: Question, evidence: Evidence) -> Iterator[EcmStory]:
    """Tell the last requests that the question is about, the newest first."""
    if question.account is None:
        ecms = evidence.recent.ecms()
    else:
        ecms = list(reversed(evidence.recent.account(question.account).ecms))
    chosen = [ecm for ecm in ecms if _is_about(ecm.trace, question)]
    for ecm in chosen[:STORIES_LIMIT]:
        yield _Narrator(ecm.trace, evidence).tell(ecm)


def _is_about(trace: Trace, question: Question) -> bool:
    caid, ident, _, sid = trace.request
    wanted: tuple[tuple[int | None, int], ...] = (
        (question.caid, caid),
        (question.ident, ident),
        (question.sid, sid),
    )
    return all(one is None or one == other for one, other in wanted)


class _Narrator:
    """Tells one trace, with sources by their names."""

    def __init__(self, trace: Trace, evidence: Evidence) -> None:
        self._trace = trace
        self._evidence = evidence
        steps = trace.steps
        self._choices = [step for step in steps if isinstance(step, Choice)]
        self._steps = [step for step in steps if isinstance(step, CardStep)]

    def tell(self, ecm: TracedEcm) -> EcmStory:
        trace = self._trace
        caid, ident, _, sid = trace.request
        return EcmStory(
            account=ecm.account,
            at=ecm.at,
            service=format_service(caid, ident, sid),
            answered=trace.winner is not None,
            result=trace.result.value,
            seconds=trace.ended_at - trace.asked_at,
            source=self._name(trace.winner) if trace.winner else "",
            why=self._why_won(trace.winner) if trace.winner else self._why_none(),
            considered=tuple(self._considered()),
            steps=tuple(self._tell_step(step) for step in self._steps),
        )

    def _considered(self) -> Iterator[StoryCard]:
        if self._choices:
            for ranked in self._choices[0].ranked:
                yield self._story_card(ranked.card, ranked.rank.text)
        elif only := next((step.card for step in self._steps if step.event in _ASKED), None):
            yield self._story_card(only, "the only one that fits")

    def _story_card(self, card: Card, text: str) -> StoryCard:
        words = f"CAID {format_caid(card.caid)}, hop {card.hop}"
        return StoryCard(source=self._name(card), card=words, text=text)

    def _tell_step(self, step: CardStep) -> StoryStep:
        return StoryStep(
            milliseconds=1000 * (step.at - self._trace.asked_at),
            source=self._name(step.card),
            text=step.event.value,
        )

    # Why.

    def _why_won(self, winner: Card) -> str:
        name = self._name(winner)
        if self._trace.result is Result.CACHED:
            return f"the CW was known already: {name} gave it for an earlier request"
        before = list(self._before(winner))
        if before:
            return f"{'; '.join(before)}; then {name} gave the CW"
        for choice in self._choices:
            if choice.ranked[0].card is winner and len(choice.ranked) > 1:
                return self._compare(*choice.ranked[:2])
        return f"{name} has the only card that fits"

    def _before(self, winner: Card) -> Iterator[str]:
        """Tell what became of those that were asked, or looked at, before the winner."""
        asked_at = next((step.at for step in self._steps if step.card is winner), 0.0)
        for step in self._steps:
            if step.card is not winner and step.at <= asked_at and step.event not in _NO_TROUBLES:
                yield f"{self._name(step.card)} {step.event.value}"

    def _compare(self, first: Ranked, second: Ranked) -> str:
        name, other = self._name(first.card), self._name(second.card)
        return f"{name} was asked before {other}: {difference(first.rank, second.rank)}"

    def _why_none(self) -> str:
        service = _service(self._trace)
        match self._trace.result:
            case Result.NO_CARD:
                return f"no card that this account sees fits {service}; see the cards"
            case Result.DEADLINE:
                return f"no card answered in time{self._sum_up()}"
            case Result.BROKEN_OFF:
                return f"an error of our own ended it, which is in the log{self._sum_up()}"
            case _:
                return f"no card that fits gave a CW{self._sum_up()}"

    def _sum_up(self) -> str:
        told: dict[Card, str] = {}
        for step in self._steps:
            text = _ending(step.event)
            if step.event is Outcome.RESTING and step.card in told:
                text = f"{told[step.card]} and {text}"
            told[step.card] = text
        parts = [f"{self._name(card)} {text}" for card, text in told.items()]
        return f": {'; '.join(parts)}" if parts else ""

    def _name(self, card: Card) -> str:
        return self._evidence.source_name(card)


def _ending(event: Event | Outcome) -> str:
    return "was asked and has not answered" if event in _ASKED else event.value


def _service(trace: Trace) -> str:
    caid, ident, _, sid = trace.request
    return format_service(Caid(caid), Ident(ident), Sid(sid))


def difference(first: Rank, second: Rank) -> str:
    """Say what put one card before another: the first difference of their ranks."""
    if first.standby != second.standby:
        return "the other one of its group only stands by"
    if first.failing != second.failing:
        return "the other gave no CW lately, or was late"
    if first.order != second.order:
        return "the P-line of CCcam.prio says so"
    if first.remote != second.remote:
        return "it is a card of our own"
    if first.wait != second.wait:
        one, other = 1000 * first.seconds, 1000 * second.seconds
        return f"it answers within {one:.0f} ms as a rule, the other within {other:.0f} ms"
    if first.hop != second.hop:
        return f"it is at hop {first.hop}, the other at hop {second.hop}"
    return "both are equally good, and it was there first"
