"""What other nodes of a fleet want of our cards: an answer to an ECM, or that they get an EMM.

order     `FleetDesk` -> `Orders.take` -> `Exchange.seek` -> a reply on that node's channel
update    `FleetDesk` -> `Orders.update` -> the gate of our clients' EMMs -> the card
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from cccamd.cards import Candidates, Card, CardTable
from cccamd.fleet.letters import Letter, Order, Reply, Update
from cccamd.ids import Caid, ShareId
from cccamd.routing import AskId, EmmGate, EmmVerdict, Trace, Waiter, Wanted
from cccamd.server.exchange import Exchange
from cccamd.server.fleetnodes import Nodes
from cccamd.values import CardId, ControlWords, Fingerprint, Refusal, Service

ORDERS_LIMIT: Final = 2000
"""Orders of other nodes that are being asked; what is more is refused."""

Adopt = Callable[[Fingerprint, Service, Collection[AskId]], None]


class Orders:
    """Those that are being asked. It is a recipient of the exchange."""

    def __init__(
        self,
        *,
        node: str,
        exchange: Exchange,
        table: CardTable,
        nodes: Nodes,
        emm_gate: EmmGate,
        adopt: Adopt,
        tell: Callable[[str, Letter], None],
    ) -> None:
        """`node`: our name. `adopt`: is told that an ECM is asked for a node that has the claim to
        it, and what is meant for the very cards (`Claims.adopt`). `tell`: writes to a node."""
        self._node = node
        self._exchange = exchange
        self._table = table
        self._nodes = nodes
        self._emm_gate = emm_gate
        self._adopt = adopt
        self._tell = tell
        self._client = exchange.add_client(self)
        self._orders: dict[int, Order] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._orders)

    def take(self, order: Order) -> None:
        """Another node wants a card of ours to be asked, for a client of its own."""
        request = order.request
        cards = self._own_cards(request.share_id, request.caid)
        if not cards or len(self._orders) >= ORDERS_LIMIT:
            self._reply(order, Refusal.PASSING)
            return
        fingerprint = self._exchange.router.fingerprint_of(request)
        service = Service(request.caid, request.ident, request.sid)
        self._adopt(fingerprint, service, self._exchange.router.asks_of(fingerprint, cards))
        node = self._nodes.by_name.get(order.node)
        ids: frozenset[CardId] = frozenset(card.id for card in cards)
        candidates = Candidates(cards, frozenset(cards), ids, Refusal.PASSING)
        node_id = node.presence.node_id if node is not None else None
        self._count += 1
        token = self._count
        self._orders[token] = order
        wanted = Wanted(request, fingerprint, candidates, node_id)
        told = self._exchange.seek(Waiter(self._client, token), wanted)
        if told is not None:
            self.deliver(token, told.cw, None)

    def deliver(self, token: int, cw: ControlWords, trace: Trace | None) -> None:
        """As the recipient of what was asked for other nodes."""
        if order := self._orders.pop(token, None):
            self._reply(order, cw)

    def refuse(self, token: int, refusal: Refusal, trace: Trace) -> None:
        """The same when there is nothing."""
        if order := self._orders.pop(token, None):
            self._reply(order, refusal)

    def update(self, update: Update) -> None:
        """Another node passes on an EMM of a client of its own, to a card of ours.

        That node has looked whether its client may. Whether the card is to get it, and has not got
        the same from somebody here a moment ago, is looked at here.
        """
        emm = update.emm
        now = asyncio.get_running_loop().time()
        for card in self._own_cards(emm.share_id, emm.caid)[:1]:
            if self._emm_gate.decide_for_node(card, emm.section, now=now) is EmmVerdict.PASSED:
                self._exchange.send_emm(card, emm)

    def _own_cards(self, share_id: ShareId, caid: Caid) -> tuple[Card, ...]:
        """What is ours by a name that we told: what is another node's is never asked for a node, so
        nothing goes in circles."""
        return tuple(
            card
            for card in self._table.ways_to(share_id)
            if self._nodes.node_of(card.source) is None and card.caid == caid
        )

    def _reply(self, order: Order, answer: ControlWords | Refusal) -> None:
        reply = Reply(node=self._node, boot=order.boot, number=order.number, answer=answer)
        self._tell(order.node, reply)
