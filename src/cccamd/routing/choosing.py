"""Which card is asked next for a waiter, and what to say when there is none."""

from dataclasses import dataclass

from cccamd.cards import Card, SourceId
from cccamd.routing.flights import Flight, Waiting
from cccamd.routing.health import Health
from cccamd.routing.ranking import Priorities, Ranked, rank_card
from cccamd.routing.trace import Result
from cccamd.values import Outcome, Refusal, Service

FIRST_PAUSE = {Refusal.CANNOT_DECODE: 8.0, Refusal.PASSING: 1.0}
"""Seconds. Both are below a crypto period of 10 s, so that the next ECM gets a new try."""
LONGEST_PAUSE = {Refusal.CANNOT_DECODE: 8.0, Refusal.PASSING: 4.0}
"""No longer than a person waits: a card that has learnt is found out by the next ECM, whoever
taught it. It costs one question per card and service in a crypto period, however many ask."""
GROWTH = 2.0
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
        self._pauses: dict[tuple[Card, Service], Pause] = {}

    def __len__(self) -> int:
        return len(self._pauses)

    def get(self, card: Card, service: Service) -> Pause | None:
        """The pause of a card for a service, running or over."""
        return self._pauses.get((card, service))

    def rests(self, card: Card, service: Service, now: float) -> bool:
        """Whether a card is to be left alone for a service now."""
        pause = self.get(card, service)
        return pause is not None and pause.until > now

    def start(self, card: Card, service: Service, outcome: Outcome, now: float) -> None:
        """Note that there was no CW: a pause begins, longer than the last one was."""
        if not service.sid:
            # The service is unknown: this refusal says nothing about the others without one.
            return
        last = self._pauses.pop((card, service), None)
        refusal = refusal_of(outcome)
        length = FIRST_PAUSE[refusal]
        if last and last.refusal is refusal:
            length = min(last.length * GROWTH, LONGEST_PAUSE[refusal])
        if len(self._pauses) >= PAUSES_LIMIT:
            del self._pauses[next(iter(self._pauses))]
        self._pauses[card, service] = Pause(now + length, length, refusal, now, outcome)

    def end(self, card: Card, service: Service) -> None:
        """Note an answer."""
        if self._pauses:
            self._pauses.pop((card, service), None)

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

    def refusal(self, waiting: Waiting) -> Refusal:
        """What to say: that no card can decode the service only if that is true of each (13.8)."""
        flight = waiting.flight
        for card in waiting.candidates.cards:
            if self.priorities.ignores(card, flight.service):
                continue
            refusal = flight.tried.get(card)
            if card not in flight.tried:
                pause = self.pauses.get(card, flight.service)
                refusal = pause.refusal if pause else None
            if refusal is not Refusal.CANNOT_DECODE:
                return Refusal.PASSING
        return Refusal.CANNOT_DECODE

    def explain_none(self, waiting: Waiting, now: float) -> Result:
        """Note in the flight's log why cards that fit were not even asked; sum it up."""
        flight = waiting.flight
        asked = resting = ignored = False
        for card in waiting.candidates.cards:
            if card in flight.tried:
                asked = True
            elif self.priorities.ignores(card, flight.service):
                flight.log.append((now, Outcome.IGNORED, card))
                ignored = True
            elif pause := self.pauses.get(card, flight.service):
                flight.log.append((pause.began_at, pause.cause, card))
                flight.log.append((now, Outcome.RESTING, card))
                resting = True
        if asked:
            return Result.REFUSED
        return Result.RESTING if resting else Result.IGNORED if ignored else Result.NO_CARD

    def _left(self, waiting: Waiting, now: float) -> list[Card]:
        tried, service = waiting.flight.tried, waiting.flight.service
        cards = [
            card
            for card in waiting.candidates.cards
            if card not in tried or self._worth_another_try(waiting.flight, card, now)
        ]
        if self.health.lost_sources:
            cards = [card for card in cards if card.source not in self.health.lost_sources]
        if self.pauses:
            cards = [card for card in cards if not self.pauses.rests(card, service, now)]
        if self.priorities.ignored:
            cards = [card for card in cards if not self.priorities.ignores(card, service)]
        return cards

    def _worth_another_try(self, flight: Flight, card: Card, now: float) -> bool:
        """Trouble that passes may have passed, when a request takes that long."""
        if flight.tried[card] is not Refusal.PASSING:
            return False
        pause = self.pauses.get(card, flight.service)
        return pause is not None and pause.until <= now

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
                    refused=self.pauses.get(card, service) is not None,
                    order=places.get(card, 0),
                ),
                card,
            )
            for card in cards
        )
