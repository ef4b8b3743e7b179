"""One ECM on its way: who waits for it, who was asked for it, and what is due when."""

from dataclasses import dataclass
from enum import Enum, auto
from heapq import heappop, heappush

from cccamd.cards import Candidates, Card, View
from cccamd.ids import SHARED_NODE_IDS, NodeId
from cccamd.routing.actions import Action, AskId, LoopDetected, Waiter
from cccamd.routing.cache import NAMES_LIMIT
from cccamd.routing.health import SourceHealth
from cccamd.routing.trace import Log, Result, Trace
from cccamd.values import ControlWords, Fingerprint, Refusal, Request, Service

Subject = Service | Fingerprint
"""What a card is left alone for: a service, or one ECM when nobody says what it is for."""


@dataclass(slots=True, eq=False)
class Waiting:
    """One request of one client."""

    waiter: Waiter
    flight: "Flight"
    request: Request
    candidates: Candidates
    view: View | None
    asked_at: float
    deadline_at: float
    done: bool = False

    def may_have(self, card: Card) -> bool:
        """Whether what a card has answered is for it, by whatever way it sees the card: when it
        asked, or now, as cards come while it waits."""
        if card.id in self.candidates.ids:
            return True
        return self.view is not None and card.id in self.view.candidates(self.request).ids

    def trace(self, now: float, result: Result, winner: Card | None = None) -> Trace:
        """The record of how it went, when it ends."""
        return Trace(
            self.request,
            self.flight.fingerprint,
            self.asked_at,
            now,
            result,
            winner,
            self.flight.log,
            self.candidates.members,
        )


class Stage(Enum):
    """How late an ask is; the next one is due by a timer."""

    ON_TIME = auto()
    OVERDUE = auto()
    """Later than usual: another card may be asked as well."""
    STALLED = auto()
    """So late that nobody counts on it any more."""


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
    stage: Stage = Stage.ON_TIME
    held: bool = False
    """Whether it has not gone out yet: others may be asking."""
    fresh: bool = True
    """Whether it may still be waited for alone."""
    abandoned: bool = False
    withdrawn: bool = False
    """Whether the source has taken the card back meanwhile."""
    forgone: bool = False
    """Whether the card has not come back: an answer is welcome, but nobody waits for it."""
    done: bool = False


@dataclass(slots=True, eq=False)
class Grace:
    """The moment in which a card that was withdrawn may be offered anew."""

    ask: PendingAsk

    @property
    def done(self) -> bool:
        """Whether nothing is to be decided any more."""
        return self.ask.done or not self.ask.withdrawn


class Flight:
    """One ECM, from the first request for it until nobody waits and nothing is pending."""

    __slots__ = (
        "fingerprint",
        "leaving",
        "log",
        "others",
        "pending",
        "request",
        "service",
        "subject",
        "suspects",
        "tried",
        "waiting",
    )

    def __init__(self, fingerprint: Fingerprint, request: Request) -> None:
        self.fingerprint = fingerprint
        self.request = request
        """The first client's: what sources are sent, but for the share id."""
        self.service = Service(request[0], request[1], request[3])
        """What the first client calls it, who may be wrong about that."""
        self.others: tuple[Service, ...] = ()
        """What those call it who came later, so far as it is something else."""
        self.subject: Subject = self.service if request[3] else fingerprint
        self.waiting: dict[Waiter, Waiting] = {}
        self.leaving: list[Waiting] = []
        """Those whose wait the present step has ended: should it fail, nobody has told them."""
        self.pending: list[PendingAsk] = []
        self.tried: dict[Card, Refusal | None] = {}
        """Each card that was asked, and how it refused; None: not yet, or it gave a CW."""
        self.suspects: dict[Card, ControlWords] = {}
        """CWs that may be those of the period before."""
        self.log: Log = []

    def also_for(self, request: Request) -> None:
        """Somebody names another service for it than the first."""
        service = Service(request[0], request[1], request[3])
        if service not in self.others and len(self.others) < NAMES_LIMIT - 1:
            self.others = (*self.others, service)

    def pending_for(self, waiting: Waiting) -> list[PendingAsk]:
        """The questions whose answer a waiter may have."""
        if not self.pending:
            return []
        members = waiting.candidates.members
        return [ask for ask in self.pending if ask.card in members]

    def waiters_for(self, card: Card) -> list[Waiting]:
        """Those who wait for what a card is asked: by ways, so that nobody waits for himself."""
        return [each for each in self.waiting.values() if card in each.candidates.members]

    def entitled_to(self, card: Card) -> list[Waiting]:
        """Those who may have what a card has answered, as the cache has it: by whatever way."""
        return [each for each in self.waiting.values() if each.may_have(card)]

    def loops(self, node_id: NodeId | None) -> list[Action]:
        """Find out whether a request came back: its client is on the way to what we ask."""
        if node_id is None or node_id in SHARED_NODE_IDS:
            return []
        return [
            LoopDetected(node_id, ask.card.source, ask.card)
            for ask in self.pending
            if node_id in ask.card.path
        ]


class Timers:
    """A queue of waiters and asks, by when something is due; those that are done are skipped.

    Most are done at once, answered by a card of our own: they never get into the heap.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Waiting | PendingAsk | Grace]] = []
        self._new: list[tuple[float, Waiting | PendingAsk | Grace]] = []
        self._count = 0

    def set(self, at: float, subject: Waiting | PendingAsk | Grace) -> None:
        """Let `pop` give `subject` when `at` has come."""
        self._new.append((at, subject))

    def next_at(self) -> float | None:
        """When the next one is due."""
        heap = self._heap
        if self._new:
            for at, subject in self._new:
                if not subject.done:
                    self._count += 1
                    heappush(heap, (at, self._count, subject))
            self._new.clear()
        while heap and heap[0][2].done:
            heappop(heap)
        return heap[0][0] if heap else None

    def pop(self, now: float) -> Waiting | PendingAsk | Grace | None:
        """Take out the next one that is due by now."""
        at = self.next_at()
        return heappop(self._heap)[2] if at is not None and at <= now else None
