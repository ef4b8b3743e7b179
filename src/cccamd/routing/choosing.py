"""Which card is asked next for a waiter, and what to say when there is none."""

from cccamd.cards import Card
from cccamd.routing.health import Health
from cccamd.routing.inflight import Flight, Waiting
from cccamd.routing.keys import Refusal
from cccamd.routing.pauses import Pauses
from cccamd.routing.priorities import Priorities
from cccamd.routing.ranking import Ranked, rank_card
from cccamd.routing.trace import Event
from cccamd.wire.cccam import Nok


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

    def nok(self, waiting: Waiting) -> Nok:
        """NOK2 when each card that fits cannot decode the service; else NOK1 (13.8)."""
        flight = waiting.flight
        for card in waiting.candidates.cards:
            if self.priorities.ignores(card, flight.service):
                continue
            refusal = flight.tried.get(card)
            if card not in flight.tried:
                pause = self.pauses.get(card, flight.service)
                refusal = pause.refusal if pause else None
            if refusal is not Refusal.NOT_DECODED:
                return Nok.NOK1
        return Nok.NOK2

    def explain_none(self, waiting: Waiting, now: float) -> None:
        """Note in the flight's log why cards that fit were not even asked."""
        flight = waiting.flight
        for card in waiting.candidates.cards:
            if card not in flight.tried:
                ignored = self.priorities.ignores(card, flight.service)
                event = Event.IGNORED if ignored else Event.RESTING
                flight.log.append((now, event, card))

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
