"""What the router tells its caller to do.

Tuples and not dataclasses: they are made for every single ECM.
"""

from collections.abc import Hashable
from typing import NamedTuple, NewType

from cccamd.cards import Card, SourceId
from cccamd.ids import NodeId
from cccamd.routing.trace import Trace
from cccamd.wire.cccam import ControlWords, EcmRequest, Nok

AskId = NewType("AskId", int)
Waiter = Hashable
"""Whatever the caller names one request of one client by, for instance (session, flag)."""


class Ask(NamedTuple):
    """Send `request` (its share id is the source's) to `source`; report how it ends, once."""

    ask_id: AskId
    source: SourceId
    card: Card
    request: EcmRequest


class Deliver(NamedTuple):
    """Answer a waiter with control words."""

    waiter: Waiter
    cw: ControlWords
    trace: Trace


class Refuse(NamedTuple):
    """Answer a waiter that there are none."""

    waiter: Waiter
    nok: Nok
    trace: Trace


class Abandon(NamedTuple):
    """Nobody waits for an ask any more.

    If it has not gone out yet, drop it and report `Refusal.NOT_SENT`. If it has, do nothing:
    its answer, should it come, is still worth keeping.
    """

    ask_id: AskId


class LoopDetected(NamedTuple):
    """Something to tell the owner: a request came back to us through another server.

    A client (`node_id`) asked for an ECM that we are asking `source` for, by a card that
    comes through that client. It was not made to wait for itself.
    """

    waiter: Waiter
    node_id: NodeId
    source: SourceId
    card: Card


Action = Ask | Deliver | Refuse | Abandon | LoopDetected
