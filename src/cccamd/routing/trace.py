"""Why a request went where it went: a record that costs next to nothing until it is read."""

from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from cccamd.cards import Card
from cccamd.ids import format_caid, format_share_id
from cccamd.routing.ranking import Ranked
from cccamd.values import Fingerprint, Outcome, Request


class Event(Enum):
    """What happened with a card before it came to an `Outcome`."""

    ASKED = "is asked"
    ASKED_ALSO = "is asked as well, because the one before is late"
    TRIED = "is asked as well, to see whether it answers again"
    OVERDUE = "is later than usual"
    HELD = "is not asked yet: another node of the fleet may be asking"
    LET_GO = "is asked after all"


ASKED = frozenset({Event.ASKED, Event.ASKED_ALSO, Event.TRIED})


class Result(Enum):
    """How a request ended."""

    ANSWERED = "a card gave the CW"
    CACHED = "the CW was known already"
    NO_CARD = "no card fits"
    OUT_OF_HOURS = "it was outside the hours of the account"
    EXPIRED = "the account has expired"
    RESTING = "all cards that fit are left alone for a moment, after what they did last"
    SILENT = "the sources of all cards that fit answer nothing at the moment"
    IGNORED = "all cards that fit are switched off for this by I-lines of CCcam.prio"
    REFUSED = "all cards that fit were asked and gave no CW"
    DEADLINE = "no card answered in time"
    BROKEN_OFF = "an error of our own ended it"


_ANSWERED: Final = Outcome.ANSWERED
_WITHOUT_CARDS = {
    Result.NO_CARD: Outcome.NO_CARD,
    Result.OUT_OF_HOURS: Outcome.OUT_OF_HOURS,
    Result.EXPIRED: Outcome.EXPIRED,
}
_NOT_ASKED = frozenset(
    {Outcome.NOT_SENT, Outcome.RESTING, Outcome.SILENT, Outcome.IGNORED},
)


class CardStep(NamedTuple):
    """Something that happened with a card."""

    at: float
    event: Event | Outcome
    card: Card


class Choice(NamedTuple):
    """The cards that were left to ask at a moment, in order; the first was asked."""

    at: float
    ranked: tuple[Ranked, ...]


Log = list[tuple[float, Event | Outcome, Card] | tuple[float, list[Ranked]]]
"""The steps of an ECM as bare tuples: cheap to write, for what is seldom read."""


class Trace:
    """How one request of one client went. Never holds the ECM or the CW."""

    __slots__ = (
        "_length",
        "_log",
        "_members",
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
        members: frozenset[Card] | None = None,
    ) -> None:
        """`members`: the cards that fit; None: nobody was to be asked."""
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
        self._members = members

    @property
    def steps(self) -> tuple[CardStep | Choice, ...]:
        """What happened to this ECM until the request ended, in order.

        Some of it may be older than the request: many clients want the same ECM. But what
        concerns only cards that are not for this client is left out.
        """
        return tuple(self._steps())

    def _steps(self) -> Iterator[CardStep | Choice]:
        members = self._members
        for entry in self._log[: self._length]:
            if len(entry) == 3:
                if members is None or entry[2] in members:
                    yield CardStep(*entry)
                continue
            at, ranked = entry
            ours = [each for each in ranked if members is None or each.card in members]
            if ours:
                yield Choice(at, tuple(ours))

    def outcomes(self) -> list[tuple[Card, Outcome]]:
        """What came of each card that fits, in order; one that is still being asked is late.

        A card that rests stands there twice: with what it rests for, and with that it rests.
        """
        ends: list[tuple[Card, Outcome]] = []
        open_asks: dict[Card, None] = {}
        for step in self._steps():
            if isinstance(step, Choice):
                continue
            if isinstance(step.event, Outcome):
                open_asks.pop(step.card, None)
                ends.append((step.card, step.event))
            elif step.event in ASKED:
                open_asks[step.card] = None
        return ends + [(card, Outcome.NO_ANSWER) for card in open_asks]

    @property
    def outcome(self) -> Outcome:
        """What was the matter, in one word: of the card that was asked last, if any was."""
        if self.winner is not None:
            return _ANSWERED
        if self.result in _WITHOUT_CARDS:
            return _WITHOUT_CARDS[self.result]
        ends = [outcome for _, outcome in self.outcomes()]
        asked = [outcome for outcome in ends if outcome not in _NOT_ASKED]
        resting = Outcome.RESTING if Outcome.RESTING in ends else None
        if self.result is Result.RESTING and resting:
            return resting
        return (asked or ends or [Outcome.NO_CARD])[-1]

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
