"""One client's view of the card table: what it is told, and what may serve its requests.

Source: docs/protocol.md section 11.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cccamd.cards.card import Card
from cccamd.cards.services import Wanted, denies_service, fit, fit_sentence
from cccamd.cards.table import CardTable
from cccamd.cards.visibility import Reason, Verdict, Viewer, judge
from cccamd.ids import SHARED_NODE_IDS, Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import UA_LENGTH, CardId, Offer, Provider, Refusal, Request

REQUESTS_KEPT = 1024
"""More different services no honest client asks within one state of the card table."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The cards that may serve a request, in no particular order."""

    cards: tuple[Card, ...]
    members: frozenset[Card]
    ids: frozenset[CardId]
    """The same cards, whatever way: a CW that any of them gave is for this client."""
    refusal: Refusal
    """What is true when there is none, or none of them answers for now."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A card that does not serve a request, and why."""

    verdict: Verdict
    wanted: Wanted
    reason: Reason

    @property
    def card(self) -> Card:
        """The card."""
        return self.verdict.card

    @property
    def text(self) -> str:
        """A sentence for the owner of a receiver."""
        return fit_sentence(self.verdict, self.wanted, self.reason)


_Key = tuple[Caid, Ident, ShareId, Sid]


class View:
    """What one client sees. It follows the table by itself, at the moment it is asked."""

    def __init__(self, table: CardTable, viewer: Viewer) -> None:
        self.viewer = viewer
        self._table = table
        self._generation = -1
        self._verdicts: dict[Card, Verdict] = {}
        self._ways: dict[ShareId, tuple[Verdict, ...]] = {}
        self._announcements: dict[ShareId, Offer] = {}
        self._candidates: dict[_Key, Candidates] = {}
        self._nodes_generation = -1
        self._relays = False
        """Whether the client is a server that our own requests may reach."""

    def announcements(self) -> Mapping[ShareId, Offer]:
        """What the client is to be told: each card once, by the nearest way that it may see.

        A snapshot: keep it, and give it to `difference` as the old one next time.
        """
        self._catch_up()
        return MappingProxyType(self._announcements.copy())

    def card(self, share_id: ShareId) -> Card | None:
        """The card that the client means by a share id; None when it sees none by that name."""
        self._catch_up()
        ways = self._ways.get(share_id)
        return ways[0].card if ways else None

    def candidates(self, request: Request) -> Candidates:
        """Find what may serve a request; remembered until the table changes."""
        table = self._table
        if self._generation != table.generation or self._nodes_generation != table.nodes_generation:
            self._catch_up()
        key = request[:4]
        return self._candidates.get(key) or self._find(key)

    def explain(self, request: Request) -> tuple[Exclusion, ...]:
        """Say for each card of the request's CAID that does not serve it why not."""
        self._catch_up()
        wanted = self._wanted(*request[:4])
        verdicts = (judge(self.viewer, card) for card in self._table.cards_with(request.caid))
        reasons = ((verdict, self._reason(verdict, wanted)) for verdict in verdicts)
        return tuple(
            Exclusion(verdict, wanted, reason)
            for verdict, reason in reasons
            if reason is not Reason.VISIBLE
        )

    def _reason(self, verdict: Verdict, wanted: Wanted) -> Reason:
        if not verdict.visible:
            return verdict.reason
        if denies_service(self.viewer, wanted):
            return Reason.SERVICE_DENIED
        return fit(verdict, wanted)

    def _find(self, key: _Key) -> Candidates:
        wanted = self._wanted(*key)
        cards = tuple(
            card
            for card in self._table.cards_with(wanted.caid)
            if (verdict := self._verdicts.get(card))
            and self._reason(verdict, wanted) is Reason.VISIBLE
        )
        found = Candidates(
            cards,
            frozenset(cards),
            frozenset(card.id for card in cards),
            self._refusal(wanted.caid, key[2]),
        )
        if len(self._candidates) >= REQUESTS_KEPT:
            self._candidates.clear()
        self._candidates[key] = found
        return found

    def _wanted(self, caid: Caid, ident: Ident, share_id: ShareId, sid: Sid) -> Wanted:
        ways = self._ways.get(share_id)
        if not self._relays:
            return Wanted(caid, ident, sid)
        return Wanted(caid, ident, sid, frozenset(ways[0].card.path if ways else ()))

    def _refusal(self, caid: Caid, share_id: ShareId) -> Refusal:
        """Trouble that passes when the card asked for is not there (any more, or yet) (13.8)."""
        if share_id:
            return Refusal.CANNOT_DECODE if share_id in self._ways else Refusal.PASSING
        seen = any(card in self._verdicts for card in self._table.cards_with(caid))
        return Refusal.CANNOT_DECODE if seen else Refusal.PASSING

    def _catch_up(self) -> None:
        if self._nodes_generation != self._table.nodes_generation:
            self._nodes_generation = self._table.nodes_generation
            node_id = self.viewer.node_id
            relays = node_id in self._table.nodes and node_id not in SHARED_NODE_IDS
            if relays is not self._relays:
                self._relays = relays
                self._candidates.clear()
        if self._generation == self._table.generation:
            return
        changed = self._table.changed_since(self._generation)
        if self._generation < 0 or changed is None:
            changed = {*self._ways, *self._table.share_ids()}
        self._generation = self._table.generation
        self._candidates.clear()
        for share_id in sorted(changed):
            self._look_at(share_id)

    def _look_at(self, share_id: ShareId) -> None:
        """Judge all ways to one card anew."""
        for verdict in self._ways.pop(share_id, ()):
            del self._verdicts[verdict.card]
        told = self._announcements.pop(share_id, None)
        verdicts = (judge(self.viewer, card) for card in self._table.ways_to(share_id))
        ways = tuple(verdict for verdict in verdicts if verdict.visible)
        if not ways:
            return
        self._ways[share_id] = ways
        self._verdicts.update((verdict.card, verdict) for verdict in ways)
        message = announcement(ways[0], self._table.own_node_id)
        if message:
            self._announcements[share_id] = told if told == message else message


NO_UA = bytes(UA_LENGTH)


def announcement(verdict: Verdict, own_node_id: NodeId) -> Offer:
    """Offer a visible card to whom the verdict is about."""
    card = verdict.card
    return Offer(
        share_id=card.own_share_id,
        remote_id=card.remote_id,
        caid=card.caid,
        hop=card.hop,
        reshare=verdict.reshare,
        ua=card.ua if verdict.viewer.emm_allowed else NO_UA,
        providers=_addressed(verdict),
        assigned_sids=card.assigned_sids,
        rejected_sids=card.rejected_sids,
        path=(*card.path, own_node_id),
    )


def _addressed(verdict: Verdict) -> tuple[Provider, ...]:
    """Who may not send EMMs learns no shared addresses either."""
    if verdict.viewer.emm_allowed:
        return verdict.providers
    return tuple(Provider(provider.ident) for provider in verdict.providers)


def difference(old: Mapping[ShareId, Offer], new: Mapping[ShareId, Offer]) -> list[ShareId | Offer]:
    """Say what a client that was told `old` must be told for `new`.

    First the share ids of what is withdrawn, then what is offered. A card whose words changed
    is offered again; the same share id replaces it.
    """
    changes: list[ShareId | Offer] = [share_id for share_id in old if share_id not in new]
    for share_id, offer in new.items():
        told = old.get(share_id)
        # Most are the very same object, and comparing all fields would cost 20 times as much.
        if told is not offer and told != offer:
            changes.append(offer)
    return changes
