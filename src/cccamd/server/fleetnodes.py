"""The other nodes of a fleet: whose cards are there, as sources of this server.

Each source of each node is a source here, named by both. So rights, ranking, health, explanations
and pages need not know of a fleet: what a client may have of a card of another node is what it
may have of a card of a link.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from cccamd.cards import Access, Added, Card, CardTable, Grant, Rejected, SourceId, SourcePolicy
from cccamd.facts import NodeState, NodeStatus
from cccamd.fleet.letters import Order, Presence, SharedSource
from cccamd.ids import NO_NODE_ID, Caid, Ident, NodeId, ShareId
from cccamd.net import in_slices
from cccamd.routing import Ask, AskId, SourceTraits
from cccamd.server.exchange import Exchange
from cccamd.server.usage import SourceUsage
from cccamd.values import CardId, ControlWords, Emm, Offer, Refusal, Request, Service
from cccamd.watch import followed

RESHARE_MOST: Final = 255
ANY_PROVIDER: Final = Ident(0)
"""That of a card which has them all, or of a request that does not say."""
NEVER: Final = -1000.0

OrderTo = Callable[[str, Ask], bool]
"""Asks a card of a node; whether there is a way to it."""
UpdateTo = Callable[[str, Emm], None]
"""Passes an EMM to a card of a node; its share id is the card's there."""


class NodeSource:
    """One source of another node: it is asked by an order to that node."""

    local: ClassVar = False

    def __init__(self, node: str, shared: SharedSource, order: OrderTo, update: UpdateTo) -> None:
        self.node = node
        self.name = f"{node}: {shared.name}"
        self.usage = SourceUsage()
        self.shared = shared
        self.up_at = time.time()
        """Seconds since the epoch."""
        self._order, self._update = order, update

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by so many seconds, and shows `now`."""
        self.up_at = followed(self.up_at, step, now)

    def ask(self, ask: Ask) -> ControlWords | Refusal | None:
        return None if self._order(self.node, ask) else Refusal.NOT_SENT

    def answer(self, request: Request) -> None:
        return None

    def forget(self, ask_id: AskId) -> bool:
        return False

    def send_emm(self, card: Card, emm: Emm) -> None:
        self._update(self.node, replace(emm, share_id=card.share_id))


@dataclass(slots=True, eq=False)
class Node:
    """Another node."""

    presence: Presence
    came_at: float
    heard_at: float
    """Monotonic, as the one before: when it was heard of first, and last."""
    revision: str = ""
    """Of the list of cards that is taken."""
    fetched_at: float = NEVER
    wrong: int = 0
    """How many CWs of its were shown to be wrong."""
    distrusted_until: float = 0.0
    """Monotonic."""
    drops: int = 0
    """How often its cards were taken out: what is being put in meanwhile ends then."""
    sources: dict[str, tuple[SourceId, NodeSource]] = field(default_factory=dict)
    cards: dict[CardId, Card] = field(default_factory=dict)
    """By what the node calls them."""
    reach: Counter[tuple[Caid, Ident | None]] = field(default_factory=Counter)
    """How many of them there are of a CAID (None), and of each provider of it."""

    def keep(self, card_id: CardId, card: Card) -> None:
        """Know a card of its."""
        self.lose(card_id)
        self.cards[card_id] = card
        self.reach.update(_reached(card))

    def lose(self, card_id: CardId) -> None:
        """Know it no more."""
        card = self.cards.pop(card_id, None)
        for key in _reached(card) if card is not None else ():
            self.reach[key] -= 1
            if not self.reach[key]:
                del self.reach[key]

    def may_serve(self, service: Service) -> bool:
        """Whether one of its cards is of the CAID and the provider of a service."""
        caid, ident, _ = service
        asked = (ident, ANY_PROVIDER) if ident != ANY_PROVIDER else (None,)
        return any((caid, each) in self.reach for each in asked)

    def describe(self, now: float, epoch: float, usual: str, *, is_seen: bool) -> NodeStatus:
        """What may be seen of it. `epoch`: when the clock began; `usual`: most nodes' `config`."""
        config = self.presence.config
        until = self.distrusted_until
        return NodeStatus(
            name=self.presence.node,
            heard_at=epoch + self.heard_at,
            state=NodeState.THERE if is_seen else NodeState.UNSEEN,
            cards=len(self.cards),
            wrong=self.wrong,
            distrusted_until=epoch + until if now < until else None,
            config=config,
            differs=config != usual,
        )


class Nodes:
    """The nodes that are there, and their cards in the table of this server."""

    def __init__(
        self,
        *,
        table: CardTable,
        exchange: Exchange,
        order: OrderTo,
        update: UpdateTo,
        on_cards_changed: Callable[[], None],
    ) -> None:
        self.by_name: dict[str, Node] = {}
        self._table = table
        self._exchange = exchange
        self._order, self._update = order, update
        self._on_cards_changed = on_cards_changed
        self._node_of: dict[SourceId, str] = {}
        self._taking = asyncio.Lock()

    def node_of(self, source: SourceId) -> str | None:
        """Whose a source is; None: it is one of our own."""
        return self._node_of.get(source)

    def card(self, node: str, card_id: CardId) -> Card | None:
        """A card of a node, as the table of this server has it."""
        known = self.by_name.get(node)
        return known.cards.get(card_id) if known is not None else None

    def may_serve(self, name: str, service: Service) -> bool:
        """Whether a node has told of a card that may serve a service."""
        node = self.by_name.get(name)
        return node is not None and node.may_serve(service)

    def sources(self) -> Iterator[tuple[SourceId, NodeSource]]:
        """All that other nodes share."""
        for node in self.by_name.values():
            yield from tuple(node.sources.values())

    async def take(self, name: str, revision: str, shared: tuple[SharedSource, ...]) -> None:
        """Take over a node's list of cards."""
        async with self._taking:
            if name in self.by_name:
                await in_slices(self._taken(self.by_name[name], revision, shared))
                self._on_cards_changed()

    def drop(self, name: str) -> None:
        """Take the cards of a node out: it is gone, or not believed."""
        node = self.by_name.get(name)
        if node is not None:
            node.drops += 1
            for source in list(node.sources):
                self._drop_source(node, source)
            node.revision = ""
            self._on_cards_changed()

    def _taken(
        self, node: Node, revision: str, shared: tuple[SharedSource, ...]
    ) -> Generator[None, None, None]:
        wanted, drops = {each.name: each for each in shared}, node.drops
        for name, (_, running) in list(node.sources.items()):
            new = wanted.get(name)
            if new is None or _kind(new) != _kind(running.shared):
                self._drop_source(node, name)
        for name, new in wanted.items():
            if name not in node.sources:
                self._add_source(node, new)
            for _ in self._take_offers(node, name, new):
                yield
                if node.drops != drops:
                    return
        node.revision = revision

    def _add_source(self, node: Node, shared: SharedSource) -> None:
        access = Access(
            name=shared.emm_name, grant=Grant(groups=shared.groups), takes_emms=shared.takes_emms
        )
        source = NodeSource(node.presence.node, shared, self._order, self._update)
        policy = SourcePolicy(access=access)
        source_id = self._table.add_source(policy)
        self._node_of[source_id] = node.presence.node
        node.sources[shared.name] = source_id, source
        traits = SourceTraits(constant=shared.constant)
        self._exchange.add_source(source_id, source, traits)

    def _take_offers(self, node: Node, name: str, new: SharedSource) -> Generator[None, None, None]:
        source_id, source = node.sources[name]
        wanted = {offer.share_id: offer for offer in new.offers}
        before = {offer.share_id: offer for offer in source.shared.offers}
        for share_id in before.keys() - wanted.keys():
            self._withdraw(node, source_id, share_id)
            yield
        for offer in new.offers:
            result = self._table.add(source_id, offer)
            if isinstance(result, Rejected):
                if result.instead_of is not None:
                    self._forget(node, result.instead_of)
            else:
                if isinstance(result, Added) and result.replaced is not None:
                    self._forget(node, result.replaced)
                node.keep(_named(offer), result.card)
                self._exchange.offer_card(result.card)
            yield
        source.shared = new

    def _withdraw(self, node: Node, source_id: SourceId, share_id: ShareId) -> None:
        card = self._table.remove(source_id, share_id)
        if card is not None:
            self._forget(node, card)

    def _forget(self, node: Node, card: Card) -> None:
        for card_id in [key for key, known in node.cards.items() if known == card]:
            node.lose(card_id)
        self._exchange.withdraw_card(card)

    def _drop_source(self, node: Node, name: str) -> None:
        source_id, source = node.sources.pop(name)
        self._exchange.forget_source(source_id)
        self._table.forget_source(source_id)
        del self._node_of[source_id]
        for offer in source.shared.offers:
            node.lose(_named(offer))


def _kind(shared: SharedSource) -> SharedSource:
    """What of it is fixed for as long as it is a source here."""
    return replace(shared, offers=())


def _reached(card: Card) -> set[tuple[Caid, Ident | None]]:
    idents: set[Ident | None] = {provider.ident for provider in card.providers}
    return {(card.caid, ident) for ident in idents | {None}}


def _named(offer: Offer) -> CardId:
    """What a node calls a card in what it tells of ECMs."""
    return CardId(offer.path[0], offer.remote_id, offer.caid) if offer.path else _NO_CARD


_NO_CARD: Final = CardId(NO_NODE_ID, 0, Caid(0))


def shared_offer(card: Card, own_node_id: NodeId) -> Offer:
    """What the other nodes are told of a card. A client of theirs may have of it what a client of
    this node may, one hop farther away."""
    return Offer(
        share_id=card.own_share_id,
        remote_id=card.id.remote_id,
        caid=card.caid,
        hop=card.hop,
        reshare=min(RESHARE_MOST, card.reshare + 1 if card.local else card.reshare),
        ua=card.ua,
        providers=card.providers,
        assigned_sids=card.assigned_sids,
        rejected_sids=card.rejected_sids,
        path=(*(card.path or ()), own_node_id),
    )


def order_of(node: str, boot: str, ask: Ask) -> Order:
    """Ask another node's card."""
    return Order(node=node, boot=boot, number=ask.ask_id, request=ask.request)
