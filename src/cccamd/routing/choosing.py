"""Which card is asked next for a waiter, and what to say when there is none."""

from collections import OrderedDict
from dataclasses import dataclass

from cccamd.cards import Card, SourceId
from cccamd.routing.condition import NEVER
from cccamd.routing.flights import Flight, Subject, Waiting
from cccamd.routing.health import Health
from cccamd.routing.ranking import Priorities, Ranked, rank_card
from cccamd.routing.trace import Result
from cccamd.values import Outcome, Refusal

FIRST_PAUSE = {Refusal.CANNOT_DECODE: 8.0, Refusal.PASSING: 1.0}
"""Seconds. Both are below a crypto period of 10 s, so that the next ECM gets a new try."""
LONGEST_PAUSE = {Refusal.CANNOT_DECODE: 8.0, Refusal.PASSING: 4.0}
"""No longer than a person waits: a card that has learnt is found out by the next ECM, whoever
taught it. It costs one question per card and service in a crypto period, however many ask."""
GROWTH = 2.0
SHORTEST_PAUSE = 1.0
"""Seconds: no card is asked about the same more often than that."""
LEARNING = 4.0
"""Seconds that a card, and the way to it, may need for an EMM."""
PAUSES_LIMIT = 10_000
"""A bound for memory: the oldest is forgotten."""


_CANNOT = frozenset({Outcome.CANNOT_DECODE, Outcome.ZERO})


def refusal_of(outcome: Outcome) -> Refusal:
    """What a client is told of it: an all-zero CW is how some servers say that they cannot."""
    return Refusal.CANNOT_DECODE if outcome in _CANNOT else Refusal.PASSING


@dataclass(frozen=True, slots=True)
class Pause:
    """A card is left alone for a service; afterwards it is asked last until it answers again."""

    until: float
    length: float
    refusal: Refusal
    began_at: float
    cause: Outcome
    """What the card did."""


class Pauses:
    """The pauses of all cards. They end with an answer, or when the card is announced anew."""

    def __init__(self) -> None:
        self._pauses: OrderedDict[tuple[Card, Subject], Pause] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pauses)

    def get(self, card: Card, subject: Subject) -> Pause | None:
        """The pause of a card for a service, running or over."""
        return self._pauses.get((card, subject))

    def rests(self, card: Card, subject: Subject, now: float, taught_at: float = NEVER) -> bool:
        """Whether a card is to be left alone for a service now.

        A card that was `taught_at` by an EMM may have learnt: what it refused before, or while
        it was still learning, is worth asking again after a moment.
        """
        pause = self.get(card, subject)
        if pause is None or pause.until <= now:
            return False
        return taught_at + LEARNING < pause.began_at or now < pause.began_at + SHORTEST_PAUSE

    def start(
        self,
        card: Card,
        subject: Subject,
        outcome: Outcome,
        now: float,
        *,
        asked_at: float = NEVER,
    ) -> None:
        """Note that there was no CW: a pause begins, longer than the last one was."""
        last = self._pauses.pop((card, subject), None)
        refusal = refusal_of(outcome)
        length = FIRST_PAUSE[refusal]
        if last and last.refusal is refusal:
            length = min(max(length, last.length * GROWTH), LONGEST_PAUSE[refusal])
        if outcome is Outcome.ASLEEP:
            length = LONGEST_PAUSE[Refusal.CANNOT_DECODE]  # it asked for a rest
        elif outcome is Outcome.NO_ANSWER:  # it was left alone while it was waited for
            length = max(0.0, asked_at + SHORTEST_PAUSE - now)
        if len(self._pauses) >= PAUSES_LIMIT:
            self._pauses.popitem(last=False)
        self._pauses[card, subject] = Pause(now + length, length, refusal, now, outcome)

    def end(self, card: Card, subject: Subject) -> None:
        """Note an answer."""
        if self._pauses:
            self._pauses.pop((card, subject), None)

    def forget(self, source: SourceId) -> None:
        """Drop all pauses of a source that is gone: its cards come back as new ones."""
        for key in [key for key in self._pauses if key[0].source == source]:
            del self._pauses[key]


SAVED_LIMIT = 10.0
"""So many extra requests may be saved up: a burst after a quiet hour stays a burst."""


class HedgeBudget:
    """Each request saves a share of an extra one; an extra one needs a whole."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = min(1.0, share * SAVED_LIMIT)

    def adopt(self, share: float) -> None:
        """Save another share from now on; without one, what was saved is gone, too."""
        self._share = share
        self._saved = min(self._saved, share * SAVED_LIMIT)

    def save(self) -> None:
        """A request was asked for the first time."""
        self._saved = min(self._saved + self._share, SAVED_LIMIT)

    def spend(self) -> bool:
        """Take an extra request out; False when there is none."""
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True


class Chooser:
    """Chooses by what is known of the cards and their sources."""

    def __init__(self, priorities: Priorities) -> None:
        self.priorities = priorities
        self.health = Health()
        self.pauses = Pauses()
        self.withdrawn: OrderedDict[Card, float] = OrderedDict()
        """Cards that are gone, and that requests on their way may still know; and since when."""

    def best(self, waiting: Waiting, now: float) -> Card | None:
        """The card to ask next; None when all that fit were asked or are left alone."""
        cards = self._left(waiting, now)
        if len(cards) < 2:
            # Most services have one card: it needs no rank.
            return cards[0] if cards else None
        ranked = self._ranked(cards, waiting.flight, now)
        waiting.flight.log.append((now, ranked))
        return ranked[0].card

    def better(self, waiting: Waiting, now: float) -> Card | None:
        """A card that may well answer before the deadline although another is late."""
        cards = self._left(waiting, now)
        ranked = self._ranked(cards, waiting.flight, now)
        if not ranked or ranked[0].rank.failing:
            return None
        if now + ranked[0].rank.seconds > waiting.deadline_at:
            return None
        waiting.flight.log.append((now, ranked))
        return ranked[0].card

    def in_doubt(self, waiting: Waiting, now: float) -> Card | None:
        """A card to ask along with another, only to learn whether its source answers again."""
        flight = waiting.flight
        for card in waiting.candidates.cards:
            if not self.health.worth_a_try(card.source, now) or card in flight.tried:
                continue
            if card in self.withdrawn or self._rests(card, flight.subject, now):
                continue
            if not self.priorities.ignores(card, flight.service):
                return card
        return None

    def withdraw(self, card: Card, now: float, *, deadline: float) -> None:
        """Ask a card no more. Requests live for `deadline` seconds: then nobody knows it."""
        withdrawn = self.withdrawn
        withdrawn[card] = now
        while (oldest := next(iter(withdrawn))) is not card:
            if now <= withdrawn[oldest] + deadline:
                break
            del withdrawn[oldest]

    def refusal(self, waiting: Waiting) -> Refusal:
        """What to say: that no card can decode the service only if that is true of each (13.8)."""
        flight = waiting.flight
        for card in waiting.candidates.cards:
            if self.priorities.ignores(card, flight.service):
                continue
            refusal = flight.tried.get(card)
            if card not in flight.tried:
                pause = self.pauses.get(card, flight.subject)
                refusal = pause.refusal if pause else None
            if refusal is not Refusal.CANNOT_DECODE:
                return Refusal.PASSING
        return Refusal.CANNOT_DECODE

    def explain_none(self, waiting: Waiting, now: float) -> Result:
        """Note in the flight's log why cards that fit were not even asked; sum it up."""
        flight = waiting.flight
        asked = resting = ignored = silent = False
        given_up = self.health.given_up(now)
        for card in waiting.candidates.cards:
            if card in flight.tried:
                asked = True
            elif self.priorities.ignores(card, flight.service):
                flight.log.append((now, Outcome.IGNORED, card))
                ignored = True
            elif card.source in given_up:
                flight.log.append((now, Outcome.SILENT, card))
                silent = True
            elif pause := self.pauses.get(card, flight.subject):
                flight.log.append((pause.began_at, pause.cause, card))
                flight.log.append((now, Outcome.RESTING, card))
                resting = True
        if asked:
            return Result.REFUSED
        if silent:
            return Result.SILENT
        return Result.RESTING if resting else Result.IGNORED if ignored else Result.NO_CARD

    def _left(self, waiting: Waiting, now: float) -> list[Card]:
        flight, health = waiting.flight, self.health
        tried = flight.tried
        cards = [
            card
            for card in waiting.candidates.cards
            if card not in tried or self._worth_another_try(flight, card, now)
        ]
        if health.lost_sources:
            cards = [card for card in cards if card.source not in health.lost_sources]
        if self.withdrawn:
            cards = [card for card in cards if card not in self.withdrawn]
        if self.pauses:
            cards = [card for card in cards if not self._rests(card, flight.subject, now)]
        if self.priorities.ignored:
            cards = [card for card in cards if not self.priorities.ignores(card, flight.service)]
        if given_up := health.given_up(now):
            cards = [card for card in cards if card.source not in given_up]
        return cards

    def _rests(self, card: Card, subject: Subject, now: float) -> bool:
        return self.pauses.rests(card, subject, now, self.health.of(card.source).taught_at)

    def _worth_another_try(self, flight: Flight, card: Card, now: float) -> bool:
        """Trouble that passes may have passed, when a request takes that long."""
        if flight.tried[card] is not Refusal.PASSING:
            return False
        pause = self.pauses.get(card, flight.subject)
        if pause is None or now < pause.began_at + SHORTEST_PAUSE:
            return False
        return not self._rests(card, flight.subject, now)

    def _ranked(self, cards: list[Card], flight: Flight, now: float) -> list[Ranked]:
        service = flight.service
        places = self.priorities.order(cards, service)
        return sorted(
            Ranked(
                rank_card(
                    card,
                    service,
                    now,
                    health=self.health,
                    refused=self.pauses.get(card, flight.subject) is not None,
                    order=places.get(card, 0),
                ),
                card,
            )
            for card in cards
        )
