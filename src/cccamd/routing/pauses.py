"""Which cards are left alone for a service because they refused it."""

from dataclasses import dataclass

from cccamd.cards import Card, SourceId
from cccamd.routing.keys import Refusal, Service

FIRST_PAUSE = {Refusal.NOT_DECODED: 8.0, Refusal.PASSING: 1.0}
"""Seconds. Both are below a crypto period of 10 s, so that the next ECM gets a new try."""
LONGEST_PAUSE = {Refusal.NOT_DECODED: 300.0, Refusal.PASSING: 8.0}
GROWTH = 2.0
PAUSES_LIMIT = 10_000
"""A bound for memory: the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A card is left alone for a service; afterwards it is asked last until it answers again."""

    until: float
    length: float
    refusal: Refusal


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

    def start(self, card: Card, service: Service, refusal: Refusal, now: float) -> None:
        """Note a refusal: a pause begins, longer than the last one was."""
        if not service[2]:
            # The service is unknown: this refusal says nothing about the others without one.
            return
        last = self._pauses.pop((card, service), None)
        length = FIRST_PAUSE[refusal]
        if last and last.refusal is refusal:
            length = min(last.length * GROWTH, LONGEST_PAUSE[refusal])
        if len(self._pauses) >= PAUSES_LIMIT:
            del self._pauses[next(iter(self._pauses))]
        self._pauses[card, service] = Pause(now + length, length, refusal)

    def end(self, card: Card, service: Service) -> None:
        """Note an answer."""
        if self._pauses:
            self._pauses.pop((card, service), None)

    def forget(self, source: SourceId) -> None:
        """Drop all pauses of a source that is gone: its cards come back as new ones."""
        for key in [key for key in self._pauses if key[0].source == source]:
            del self._pauses[key]
