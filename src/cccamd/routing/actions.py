"""What the router tells its caller to do, and what the caller names things by: values only.

Tuples and not dataclasses: they are made for every single ECM.
"""

from typing import NamedTuple, NewType

from cccamd.cards import Candidates, Card, SourceId, View
from cccamd.ids import NodeId, Sid
from cccamd.routing.trace import Log, Result, Trace
from cccamd.values import ControlWords, Fingerprint, Outcome, Refusal, Request, Service

AskId = NewType("AskId", int)
"""One question to one source. It is the token that goes through link and protocol and back."""
ClientId = NewType("ClientId", int)
"""One connection of one client, as the exchange numbers them."""


class Waiter(NamedTuple):
    """One request of one client: where to deliver, and what the client calls it there."""

    client: ClientId
    token: int


class Wanted(NamedTuple):
    """What a client asks for, and what may serve it."""

    request: Request
    fingerprint: Fingerprint
    candidates: Candidates
    node_id: NodeId | None
    """The program that asks, if its protocol knows such a thing."""
    view: View | None = None
    """What the client sees, by now: cards come while it waits."""


class Known(NamedTuple):
    """What a cache knows of an ECM."""

    cw: ControlWords
    cards: tuple[Card, ...]
    """Those that gave it: it is for whoever may see one of them."""
    log: Log
    """How it went when it was asked."""
    sids: tuple[Sid, ...]
    """The services for which it was asked, and told."""


class Told(NamedTuple):
    """An answer that is there at once: by a card that the one who asks may see."""

    wanted: Wanted
    cw: ControlWords
    card: Card
    log: Log
    result: Result
    """`CACHED`: it was known already; `ANSWERED`: by the straight way."""
    asked_at: float

    def trace(self, now: float) -> Trace:
        """The record of how it went."""
        request, fingerprint = self.wanted[:2]
        return Trace(request, fingerprint, self.asked_at, now, self.result, self.card, self.log)


class Store(NamedTuple):
    """Keep an answer as told by a card."""

    fingerprint: Fingerprint
    card: Card
    cw: ControlWords
    log: Log
    sids: tuple[Sid, ...] = ()
    """The services for which it was asked."""
    corrects: bool = False
    """Whether what is kept of this ECM is wrong."""
    service: Service | None = None
    """The first service for which it was asked; None: nobody has to know."""


class Ask(NamedTuple):
    """Send `request` (its share id is the source's) to `source`; report how it ends, once."""

    ask_id: AskId
    source: SourceId
    card: Card
    request: Request


class Settled(NamedTuple):
    """Something to count: an ask that went out has ended."""

    ask_id: AskId
    source: SourceId
    request: Request
    outcome: Outcome
    seconds: float


class Deliver(NamedTuple):
    """Answer a waiter with control words."""

    waiter: Waiter
    cw: ControlWords
    trace: Trace


class Refuse(NamedTuple):
    """Answer a waiter that there are none."""

    waiter: Waiter
    refusal: Refusal
    trace: Trace


class Abandon(NamedTuple):
    """Nobody waits for an ask any more.

    If it has not gone out yet, drop it and report `Refusal.NOT_SENT`. If it has, do nothing:
    its answer, should it come, is still worth keeping.
    """

    ask_id: AskId
    source: SourceId


class BrokenOff:
    """Something to report: an error of ours has ended an ECM; who waited for it is refused."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:  # no tuple: compiled ones cannot hold it
        self.error = error


class Disproved(NamedTuple):
    """Something to tell the owner: a card gave a CW that others have shown to be wrong."""

    card: Card
    request: Request
    """Whatever is known of it: the section may be missing."""


class Prospect(NamedTuple):
    """What is known of something that is to be asked."""

    fingerprint: Fingerprint
    service: Service
    usual: float
    """The usual answer time of the card, in seconds."""
    local: bool
    """Whether it is a card of our own."""
    immediate: bool
    """Whether it never lets wait."""
    source: SourceId
    """Whose card it is."""


class Tidings(NamedTuple):
    """A CW that nobody was asked for here: somebody else asked, and tells it."""

    fingerprint: Fingerprint
    service: Service
    """The service for which it was asked there."""
    card: Card
    """That gave it."""
    cw: ControlWords
    corrects: bool = False
    """Whether whoever tells it has told a wrong one before."""


class LoopDetected(NamedTuple):
    """Something to tell the owner: a request came back to us through another server.

    A client (`node_id`) asked for an ECM that we are asking `source` for, by a card that
    comes through that client. It was not made to wait for itself.
    """

    node_id: NodeId
    source: SourceId
    card: Card


Action = Store | Ask | Settled | Deliver | Refuse | Abandon | LoopDetected | BrokenOff | Disproved


class LoopSeen(NamedTuple):
    """Cards travel in a circle: what we asked a source for came back to us through a client."""

    node_id: NodeId
    """That client's."""
    source: str
    at: float
    """When it happened last, seconds since the epoch."""
