"""Why a request went where it went: a record that costs next to nothing until it is read."""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from cccamd.cards import Card
from cccamd.ids import format_caid, format_share_id
from cccamd.routing.ranking import Ranked
from cccamd.values import Fingerprint, Request


class Event(Enum):
    """What happened with a card."""

    ASKED = "is asked"
    ASKED_ALSO = "is asked as well, because the one before is late"
    OVERDUE = "is later than usual"
    ANSWERED = "gave the CW"
    REPEATED = "gave the CW of the period before: not believed yet"
    WRONG_CW = "gave a CW that is all zero or has wrong checksums"
    NOT_DECODED = "cannot decode the service"
    PASSING = "refused for now"
    NOT_SENT = "was not asked: its link could not send"
    LOST = "its source was lost"
    TIMED_OUT = "never answered"
    RESTING = "refused the service lately and is left alone"
    IGNORED = "is switched off for this by an I-line of CCcam.prio"


class Result(Enum):
    """How a request ended."""

    ANSWERED = "a card gave the CW"
    CACHED = "the CW was known already"
    NO_CARD = "no card fits"
    OUT_OF_HOURS = "it was outside the hours of the account's F-line"
    RESTING = "all cards that fit refused the service lately and are left alone"
    REFUSED = "all cards that fit were asked and gave no CW"
    DEADLINE = "no card answered in time"


class CardStep(NamedTuple):
    """Something that happened with a card."""

    at: float
    event: Event
    card: Card


class Choice(NamedTuple):
    """The cards that were left to ask at a moment, in order; the first was asked."""

    at: float
    ranked: tuple[Ranked, ...]


Log = list[tuple[float, Event, Card] | tuple[float, list[Ranked]]]
"""The steps of an ECM as bare tuples: cheap to write, for what is seldom read."""


class Trace:
    """How one request of one client went. Never holds the ECM or the CW."""

    __slots__ = (
        "_length",
        "_log",
        "asked_at",
        "ended_at",
        "fingerprint",
        "request",
        "result",
        "winner",
    )

    def __init__(
        self,
        request: Request,
        fingerprint: Fingerprint,
        asked_at: float,
        ended_at: float,
        result: Result,
        winner: Card | None,
        log: Log,
    ) -> None:
        self.request = request[:4]
        self.fingerprint = fingerprint
        self.asked_at = asked_at
        self.ended_at = ended_at
        self.result = result
        self.winner = winner
        # The log goes on when others wait for the same ECM, or when a late answer comes:
        # up to here it is this request's. Nothing is copied until somebody reads.
        self._log = log
        self._length = len(log)

    @property
    def steps(self) -> tuple[CardStep | Choice, ...]:
        """What happened to this ECM until the request ended, in order.

        Some of it may be older than the request: many clients want the same ECM.
        """
        return tuple(
            CardStep(*entry) if len(entry) == 3 else Choice(entry[0], tuple(entry[1]))
            for entry in self._log[: self._length]
        )

    def __str__(self) -> str:
        if self.winner is None:
            return self.result.value
        return f"{self.result.value}: {describe_card(self.winner)}"

    def lines(self) -> Iterator[str]:
        """The whole story for people, one line per step, times from the request on."""
        for step in self.steps:
            milliseconds = 1000 * (step.at - self.asked_at)
            for text in _sentences(step):
                yield f"{milliseconds:+8.1f} ms  {text}"
        yield f"{1000 * (self.ended_at - self.asked_at):+8.1f} ms  {self}"


def describe_card(card: Card) -> str:
    """Name a card for people."""
    return (
        f"card {format_share_id(card.share_id)} of source {card.source}"
        f" (CAID {format_caid(card.caid)}, hop {card.hop})"
    )


def _sentences(step: CardStep | Choice) -> Iterator[str]:
    if isinstance(step, CardStep):
        yield f"{describe_card(step.card)} {step.event.value}"
        return
    for place, ranked in enumerate(step.ranked, start=1):
        yield f"choice {place}: {describe_card(ranked.card)}: {ranked.rank.text}"
