"""All cards that are there now, by source, and which of them are the same card."""

from collections import Counter, deque
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from cccamd.cards.card import Card, LocalOffer, SourceId
from cccamd.cards.grant import Access
from cccamd.cards.intake import Rejected, Rejection, SourcePolicy, examine, listed_providers
from cccamd.ids import SHARED_NODE_IDS, Caid, NodeId, ShareId
from cccamd.values import CardId, Offer, Provider

SHARE_ID_MODULUS = 1 << 32
CHANGES_KEPT = 16384
"""How many changes a view may be behind before it looks at every card again."""


@dataclass(frozen=True, slots=True)
class Added:
    """A card was taken; `replaced` is what stood under its share id before, if anything."""

    card: Card
    replaced: Card | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A card was announced again in the same words: nothing changed."""

    card: Card


@dataclass(slots=True)
class _Source:
    policy: SourcePolicy
    node_ids: tuple[NodeId, ...] = ()
    announced: dict[ShareId, Offer | LocalOffer] = field(default_factory=dict)
    cards: dict[ShareId, Card] = field(default_factory=dict)
    rejected: dict[ShareId, Rejected] = field(default_factory=dict)
    hops: Counter[int] = field(default_factory=Counter)
    """How many of the cards are so far away; counted as they come and go, for there may be
    100,000."""


class CardTable:
    """The cards of this server. Each session looks at it through a `View` of its own.

    `first_share_id` is where our own numbering starts: take a random one, so that a client
    that kept a share id from before a restart does not mean another card with it.
    """

    def __init__(self, own_node_id: NodeId, *, first_share_id: int = 1) -> None:
        self.own_node_id = own_node_id
        self.generation = 0
        self.nodes_generation = 0
        """Changes whenever a node comes or goes."""
        self.nodes: Counter[NodeId] = Counter()
        """The servers our requests may reach: our upstreams, and all that cards we heard of,
        taken or not, came by. Each with how often it was named."""
        self._sources: dict[SourceId, _Source] = {}
        self._source_count = 0
        self._serial = 0
        self._next_share_id = first_share_id
        self._copies: dict[ShareId, list[Card]] = {}
        self._share_ids: dict[CardId, ShareId] = {}
        self._by_caid: dict[Caid, dict[Card, None]] = {}
        self._generations: dict[Caid, int] = {}
        self.changed_at: dict[ShareId, int] = {}
        """The generation in which a card changed last, by our own share id; none that is gone."""
        self._changes: deque[ShareId] = deque(maxlen=CHANGES_KEPT)

    def add_source(self, policy: SourcePolicy | None = None) -> SourceId:
        """Make room for a local card (no policy) or an upstream. The number is never reused."""
        self._source_count += 1
        source = SourceId(self._source_count)
        self._sources[source] = _Source(policy or SourcePolicy())
        return source

    def set_policy(self, source: SourceId, policy: SourcePolicy) -> list[Card]:
        """Judge all that an upstream announced anew, also what was rejected before.

        Returns the cards that are not taken any more.
        """
        return [card for card in self.judging(source, policy) if card]

    def judging(self, source: SourceId, policy: SourcePolicy) -> Generator[Card | None, None, None]:
        """The same one by one, for long lists; what is announced meanwhile is judged by the new
        policy, too."""
        record = self._sources[source]
        record.policy = policy
        for share_id in tuple(record.announced):
            offer = record.announced.get(share_id)
            if offer is None:
                continue  # it has gone meanwhile
            result = (
                self._judge(source, offer)
                if isinstance(offer, Offer)
                else self._judge_local(source, offer)
            )
            yield result.instead_of if isinstance(result, Rejected) else None

    def set_node_id(self, source: SourceId, node_id: NodeId) -> None:
        """Note who an upstream is, before it has announced anything; until it is dropped."""
        record = self._sources[source]
        self._count_nodes(record.node_ids, (node_id,))
        record.node_ids = (node_id,)

    def add(self, source: SourceId, offer: Offer) -> Added | Kept | Rejected:
        """Take a card that an upstream announced, or say why not.

        The same share id replaces; a replacement that is rejected takes the card out.
        """
        record = self._sources[source]
        share_id = offer.share_id
        if record.announced.get(share_id) == offer:
            return record.rejected.get(share_id) or Kept(record.cards[share_id])
        full = len(record.announced) >= record.policy.cards_limit
        if full and share_id not in record.announced:
            return Rejected(offer, Rejection.TOO_MANY_CARDS, record.policy)
        self._count_nodes(_path(record.announced.get(share_id)), offer.path)
        record.announced[share_id] = offer
        return self._judge(source, offer)

    def add_local(self, source: SourceId, local: LocalOffer) -> Added | Kept | Rejected:
        """Put a local card in, or replace the one with the same share id."""
        record = self._sources[source]
        if record.announced.get(local.share_id) == local:
            kept = record.rejected.get(local.share_id)
            return kept or Kept(record.cards[local.share_id])
        record.announced[local.share_id] = local
        return self._judge_local(source, local)

    def _judge_local(self, source: SourceId, local: LocalOffer) -> Added | Rejected:
        record = self._sources[source]
        access = record.policy.access
        record.rejected.pop(local.share_id, None)
        providers = listed_providers(local.caid, local.providers, access.grant)
        if providers is None:
            rejected = Rejected(_as_offer(local), Rejection.NOT_LISTED, record.policy)
            return self._reject(source, rejected)
        before = record.cards.get(local.share_id)
        own_share_id = before.own_share_id if before else self._fresh_share_id()
        shown = replace(local, providers=providers)
        return self._put_in(self._local_card(source, own_share_id, shown, access))

    def _reject(self, source: SourceId, rejected: Rejected) -> Rejected:
        share_id = rejected.offer.share_id
        before = self._take_out(source, share_id)
        self._sources[source].rejected[share_id] = rejected
        return rejected if before is None else replace(rejected, instead_of=before)

    def remove(self, source: SourceId, share_id: ShareId) -> Card | None:
        """Take a card out; None when there is none."""
        record = self._sources[source]
        self._count_nodes(_path(record.announced.pop(share_id, None)), ())
        record.rejected.pop(share_id, None)
        return self._take_out(source, share_id)

    def drop_source(self, source: SourceId) -> tuple[Card, ...]:
        """Take all cards of a source out: its link is lost. The source itself stays known."""
        return tuple(card for card in self.dropping(source) if card)

    def dropping(self, source: SourceId) -> Generator[Card | None, None, None]:
        """The same one by one, for long lists: whoever drops them has to come to the end before
        the source offers anything anew."""
        record = self._sources[source]
        self._count_nodes(record.node_ids, ())
        record.node_ids = ()
        for share_id in tuple(record.announced):
            yield self.remove(source, share_id)

    def forget_source(self, source: SourceId) -> tuple[Card, ...]:
        """Take a source out with all its cards: its line has left the configuration."""
        removed = self.drop_source(source)
        del self._sources[source]
        return removed

    def cards(self) -> Iterable[Card]:
        """All cards, every way to each of them."""
        return (card for copies in self._copies.values() for card in copies)

    def knows(self, source: SourceId) -> bool:
        """Whether a source was not forgotten."""
        return source in self._sources

    def cards_of(self, source: SourceId) -> tuple[Card, ...]:
        """The cards of one source, in the order they came."""
        return tuple(self._sources[source].cards.values())

    def count_of(self, source: SourceId) -> int:
        """How many cards that are."""
        return len(self._sources[source].cards)

    def hops_of(self, source: SourceId) -> Mapping[int, int]:
        """How many of them are so far away, the nearest first."""
        return dict(sorted(self._sources[source].hops.items()))

    def rejected_count_of(self, source: SourceId) -> int:
        """How much of what a source announces we do not take."""
        return len(self._sources[source].rejected)

    def rejected_of(self, source: SourceId) -> tuple[Rejected, ...]:
        """What a source announces and we do not take."""
        return tuple(self._sources[source].rejected.values())

    def cards_with(self, caid: Caid) -> Iterable[Card]:
        """All cards of one CAID, every way to each of them."""
        return self._by_caid.get(caid, ())

    def generation_of(self, caid: Caid) -> int:
        """Changes whenever a card of this CAID changes, comes or goes."""
        return self._generations.get(caid, 0)

    def ways_to(self, own_share_id: ShareId) -> tuple[Card, ...]:
        """All ways to one card, the nearest first; empty when it is gone."""
        return tuple(self._copies.get(own_share_id, ()))

    def share_ids(self) -> Iterable[ShareId]:
        """Our own share ids that are in use."""
        return self._copies.keys()

    def changes_since(self, generation: int) -> Iterable[ShareId] | None:
        """Our own share ids of all cards that changed, came or went after `generation`, some of
        them more than once.

        None: too long ago to tell.
        """
        behind = self.generation - generation
        if behind > len(self._changes):
            return None
        return tuple(islice(reversed(self._changes), behind))[::-1]

    def _judge(self, source: SourceId, offer: Offer) -> Added | Rejected:
        record = self._sources[source]
        share_id = offer.share_id
        record.rejected.pop(share_id, None)
        result = examine(offer, record.policy, own_node_id=self.own_node_id)
        if isinstance(result, Rejected):
            return self._reject(source, result)
        card_id = _identity(offer)
        own_share_id = self._own_share_id(record.cards.get(share_id), card_id)
        if card_id is None:
            card_id = self._id_of_ours(own_share_id, offer.caid)
        return self._put_in(self._learnt_card(source, own_share_id, card_id, offer, result))

    def _own_share_id(self, before: Card | None, card_id: CardId | None) -> ShareId:
        """The share id of the same card if it is known, so that clients keep it."""
        if card_id is not None:
            return self._share_ids.get(card_id) or self._fresh_share_id()
        if before is not None and before.id.origin == self.own_node_id:
            return before.own_share_id
        return self._fresh_share_id()

    def _id_of_ours(self, own_share_id: ShareId, caid: Caid) -> CardId:
        """For our own cards, and for those of which nobody says where they come from."""
        return CardId(self.own_node_id, own_share_id, caid)

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    def _fresh_share_id(self) -> ShareId:
        while True:
            share_id = ShareId(self._next_share_id % SHARE_ID_MODULUS)
            self._next_share_id = share_id + 1
            if share_id and share_id not in self._copies:
                return share_id

    def _local_card(
        self, source: SourceId, own_share_id: ShareId, local: LocalOffer, access: Access
    ) -> Card:
        return Card(
            serial=self._next_serial(),
            id=self._id_of_ours(own_share_id, local.caid),
            source=source,
            share_id=local.share_id,
            own_share_id=own_share_id,
            remote_id=own_share_id,
            caid=local.caid,
            hop=local.hop,
            reshare=_capped(local.reshare, access.reshare),
            local=True,
            providers=local.providers,
            ua=local.ua,
            path=(),
            assigned_sids=local.assigned_sids,
            rejected_sids=local.rejected_sids,
            access=access,
        )

    def _learnt_card(
        self,
        source: SourceId,
        own_share_id: ShareId,
        card_id: CardId,
        offer: Offer,
        providers: tuple[Provider, ...],
    ) -> Card:
        access = self._sources[source].policy.access
        most = None if access.reshare is None else access.reshare + 1  # we count as one
        return Card(
            serial=self._next_serial(),
            id=card_id,
            source=source,
            share_id=offer.share_id,
            own_share_id=own_share_id,
            remote_id=offer.remote_id,
            caid=offer.caid,
            hop=offer.hop + 1,
            reshare=_capped(offer.reshare, most),
            local=False,
            providers=providers,
            ua=offer.ua,
            path=offer.path,
            assigned_sids=offer.assigned_sids,
            rejected_sids=offer.rejected_sids,
            access=access,
        )

    def _put_in(self, card: Card) -> Added:
        record = self._sources[card.source]
        before = record.cards.get(card.share_id)
        if before:
            self._detach(before)
        record.cards[card.share_id] = card
        record.hops[card.hop] += 1
        copies = self._copies.setdefault(card.own_share_id, [])
        copies.append(card)
        copies.sort(key=_nearest_first)
        self._share_ids[card.id] = card.own_share_id
        self._by_caid.setdefault(card.caid, {})[card] = None
        self._note_change(card)
        return Added(card, before)

    def _take_out(self, source: SourceId, share_id: ShareId) -> Card | None:
        card = self._sources[source].cards.pop(share_id, None)
        if card:
            self._detach(card)
        return card

    def _detach(self, card: Card) -> None:
        hops = self._sources[card.source].hops
        hops[card.hop] -= 1
        if not hops[card.hop]:
            del hops[card.hop]
        copies = self._copies[card.own_share_id]
        copies.remove(card)
        del self._by_caid[card.caid][card]
        if not copies:
            del self._copies[card.own_share_id]
            del self._share_ids[card.id]
        self._note_change(card)

    def _count_nodes(self, before: tuple[NodeId, ...], after: tuple[NodeId, ...]) -> None:
        nodes = self.nodes
        changed = False
        for node_id in after:
            count = nodes[node_id]
            nodes[node_id] = count + 1
            changed = changed or not count
        for node_id in before:
            nodes[node_id] -= 1
            if not nodes[node_id]:
                del nodes[node_id]
                changed = True
        self.nodes_generation += changed

    def _note_change(self, card: Card) -> None:
        share_id = card.own_share_id
        self._changes.append(share_id)
        self.generation += 1
        self._generations[card.caid] = self.generation
        if share_id in self._copies:
            self.changed_at[share_id] = self.generation
        else:
            self.changed_at.pop(share_id, None)


def _capped(reshare: int, most: int | None) -> int:
    return reshare if most is None else min(reshare, most)


def _as_offer(local: LocalOffer) -> Offer:
    return Offer(
        share_id=local.share_id,
        remote_id=0,
        caid=local.caid,
        hop=local.hop,
        reshare=local.reshare,
        providers=local.providers,
    )


def _path(offer: Offer | LocalOffer | None) -> tuple[NodeId, ...]:
    return offer.path if isinstance(offer, Offer) else ()


def _nearest_first(card: Card) -> tuple[int, SourceId, ShareId]:
    return card.hop, card.source, card.share_id


def _identity(offer: Offer) -> CardId | None:
    """None: nothing says which card it is, so it is like no other."""
    path = offer.path
    if not path or not offer.remote_id or path[0] in SHARED_NODE_IDS:
        return None
    return CardId(path[0], offer.remote_id, offer.caid)
