"""One ECM on its way: who waits for it, who was asked for it."""

from dataclasses import dataclass

from cccamd.cards import Candidates, Card
from cccamd.routing.actions import AskId, Waiter
from cccamd.routing.health import SourceHealth
from cccamd.routing.keys import EcmKey, Refusal, Service
from cccamd.routing.trace import Log
from cccamd.wire import ControlWords, EcmRequest


@dataclass(slots=True, eq=False)
class Waiting:
    """One request of one client."""

    waiter: Waiter
    flight: "Flight"
    request: EcmRequest
    candidates: Candidates
    asked_at: float
    deadline_at: float
    done: bool = False


@dataclass(slots=True, eq=False)
class PendingAsk:
    """One question to one source."""

    ask_id: AskId
    flight: "Flight"
    card: Card
    health: SourceHealth
    asked_at: float
    usual: float
    """Its usual answer time, in seconds, when it was asked."""
    fresh: bool = True
    """Whether it may still be waited for alone."""
    overdue: bool = False
    abandoned: bool = False
    done: bool = False


class Flight:
    """One ECM, from the first request for it until nobody waits and nothing is pending."""

    __slots__ = ("key", "log", "pending", "request", "service", "suspects", "tried", "waiting")

    def __init__(self, key: EcmKey, request: EcmRequest) -> None:
        self.key = key
        self.request = request
        """The first client's: what sources are sent, but for the share id."""
        self.service: Service = (request[0], request[1], request[3])
        self.waiting: dict[Waiter, Waiting] = {}
        self.pending: dict[AskId, PendingAsk] = {}
        self.tried: dict[Card, Refusal | None] = {}
        """Each card that was asked, and how it refused; None: not yet, or it gave a CW."""
        self.suspects: dict[Card, ControlWords] = {}
        """CWs that may be those of the period before."""
        self.log: Log = []

    def pending_for(self, waiting: Waiting) -> list[PendingAsk]:
        """The questions whose answer a waiter may have."""
        if not self.pending:
            return []
        members = waiting.candidates.members
        return [ask for ask in self.pending.values() if ask.card in members]

    def waiters_for(self, card: Card) -> list[Waiting]:
        """Those who may have an answer of a card."""
        return [each for each in self.waiting.values() if card in each.candidates.members]
