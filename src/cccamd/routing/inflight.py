"""One ECM on its way: who waits for it, who was asked for it."""

from dataclasses import dataclass

from cccamd.cards import Candidates, Card
from cccamd.ids import NodeId
from cccamd.routing.actions import Action, AskId, LoopDetected, Waiter
from cccamd.routing.health import SourceHealth
from cccamd.routing.keys import EcmKey, Refusal, Service
from cccamd.routing.trace import Log, Result, Trace
from cccamd.wire.cccam import SHARED_NODE_IDS, ControlWords, EcmRequest


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

    def trace(self, now: float, result: Result, winner: Card | None = None) -> Trace:
        """The record of how it went, when it ends."""
        return Trace(self.request[:4], self.asked_at, now, result, winner, self.flight.log)


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

    def loops(self, waiter: Waiter, node_id: NodeId) -> list[Action]:
        """Find out whether a request came back: its client is on the way to what we ask."""
        if node_id in SHARED_NODE_IDS:
            return []
        return [
            LoopDetected(waiter, node_id, ask.card.source, ask.card)
            for ask in self.pending.values()
            if node_id in ask.card.path
        ]
