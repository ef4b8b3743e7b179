"""What all clients with the same rights see of the card table: judged once for all of them.

Theory of operation. A card is *stale* when the table has changed it since it was judged, which two
numbers tell; whoever needs it judges it then. So an ECM costs the judging of the cards of its CAID,
however long the list is that has just arrived; all others are judged by `looks`, a few at a time,
before clients are told of them, and nothing is done for all of them at once. What clients are told
is *shown*: a state of the list that does not change any more, and has a number. Steps from one
number to the next are kept for a while, so that a client that was told the last state gets what has
changed, without anybody comparing two lists.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice
from typing import Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from cccamd.cards.card import Card
from cccamd.cards.grant import Grant
from cccamd.cards.intake import Limit
from cccamd.cards.offers import Offers, differing_parts
from cccamd.cards.services import Wanted, denies_service, fit
from cccamd.cards.table import CardTable
from cccamd.cards.visibility import Reason, Verdict, Viewer, judge
from cccamd.ids import SHARED_NODE_IDS, Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import UA_LENGTH, CardId, Offer, Provider, Refusal, Service

REQUESTS_KEPT: Final = 4096
"""Different services that clients with the same rights ask."""
SHOWN_AT_ONCE: Final = 200
"""Cards that may change between two states of the list: some tenths of a millisecond."""
STEPS_KEPT: Final = 20_000
"""Changes that are remembered; who is farther behind has its whole list compared."""

Key = tuple[Caid, Ident, ShareId, Sid]
Change = ShareId | Offer
"""What a client is told: the share id of a card that is withdrawn, or an offer."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The cards that may serve a request, in no particular order."""

    cards: tuple[Card, ...]
    members: frozenset[Card]
    ids: frozenset[CardId]
    """The same cards, whatever way: a CW that any of them gave is for this client."""
    refusal: Refusal
    """What is true when there is none, or none of them answers for now."""


_serials = count(1)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One state of a card list, as clients are told it."""

    offers: Offers = field(default_factory=Offers)
    sight: int = 0
    """Whose list it is; no other has this number."""
    number: int = 0


NOTHING: Final = Shown()
"""What a client was told that was told nothing yet."""

_Rights = tuple[int, int | None, tuple[Limit, ...], tuple[Service, ...], Grant, bool, NodeId | None]
_SIGHTS: "WeakKeyDictionary[CardTable, WeakValueDictionary[_Rights, Sight]]" = WeakKeyDictionary()


def sight_of(table: CardTable, viewer: Viewer) -> "Sight":
    """The sight of a client's rights, which it shares with all who have the same."""
    account, node_id = viewer.account, viewer.node_id
    relays = node_id in table.nodes and node_id not in SHARED_NODE_IDS
    rights = (
        account.max_distance,
        account.downhops,
        account.limits or viewer.global_limits,
        account.sids,
        account.grant,
        viewer.emm_allowed,
        node_id if relays else None,
    )
    sights = _SIGHTS.setdefault(table, WeakValueDictionary())
    found = sights.get(rights)
    if found is None:
        stand_in = viewer if relays else replace(viewer, node_id=None)
        found = sights[rights] = Sight(table, stand_in, relays=relays)
    return found


class Sight:
    """Follows the table by itself, at the moment it is asked."""

    def __init__(self, table: CardTable, viewer: Viewer, *, relays: bool) -> None:
        """`viewer` stands for all of them; `relays`: they are a server that our own requests
        may reach."""
        self._table = table
        self._viewer = viewer
        self._relays = relays
        self._serial = next(_serials)
        self._generation = table.generation
        self._judged_at: dict[ShareId, int] = {}
        """The generation of each card as it was when it was judged."""
        self._queue: deque[ShareId] = deque(table.share_ids())
        """All that were stale when they came here; some more than once."""
        self._verdicts: dict[Card, Verdict] = {}
        self._ways: dict[ShareId, tuple[Verdict, ...]] = {}
        self._offers: dict[ShareId, Offer] = {}
        self._touched: dict[ShareId, None] = {}
        """Cards whose offers have changed since the last state was shown."""
        self._shown = Shown(Offers(), self._serial, 0)
        self._steps: deque[tuple[Change, ...]] = deque()
        """The last of them leads to what is shown."""
        self._steps_length = 0
        self._candidates: dict[Caid, tuple[int, dict[Key, Candidates]]] = {}
        """By CAID, with the generation of its cards for which they hold: share ids change with
        each login of a source, and what was found for old ones would stay."""
        self._candidates_count = 0

    # What clients are told.

    @property
    def behind(self) -> int:
        """How many cards are to be judged before the list is that of the table, at most."""
        self._follow()
        return len(self._queue)

    def looks(self) -> Generator[None, None, None]:
        """Judge all that is stale, a card a step, and show it."""
        while True:
            self._follow()
            while self._queue:
                share_id = self._queue.popleft()
                if self._is_stale(share_id):
                    self._look_at(share_id)
                    if len(self._touched) >= SHOWN_AT_ONCE:
                        self._show()
                yield
            self._show()
            while self._touched:  # requests may have had many judged
                yield
                self._show()
            if self._generation == self._table.generation:
                break

    @property
    def shown(self) -> Shown:
        """The list as it was shown last."""
        return self._shown

    def changes_since(self, told: Shown) -> Iterable[Change]:
        """What leads a client from what it was told to what is shown; may be read later."""
        now = self._shown
        if not told.offers:
            return now.offers.values()
        steps = now.number - told.number
        if told.sight == now.sight and steps <= len(self._steps):
            return chain.from_iterable(tuple(islice(self._steps, len(self._steps) - steps, None)))
        return difference(told.offers, now.offers)

    def _show(self) -> None:
        touched = tuple(islice(self._touched, SHOWN_AT_ONCE))
        if not touched:
            return
        for share_id in touched:
            del self._touched[share_id]
        old, now = self._shown.offers, self._offers
        if old:
            gone = (share_id for share_id in touched if share_id in old and share_id not in now)
            come = (now[share_id] for share_id in touched if share_id in now)
            self._remember((*gone, *come))
        else:
            self._steps.clear()
            self._steps_length = 0
        new = old.changed(touched, now)
        self._shown = Shown(new, self._serial, self._shown.number + 1)

    def _remember(self, step: tuple[Change, ...]) -> None:
        self._steps.append(step)
        self._steps_length += len(step)
        while self._steps_length > STEPS_KEPT and len(self._steps) > 1:
            self._steps_length -= len(self._steps.popleft())

    # What serves requests.

    def card(self, share_id: ShareId) -> Card | None:
        """The card that a client means by a share id; None when it sees none by that name."""
        ways = self._ways_to(share_id)
        return ways[0].card if ways else None

    def candidates(self, key: Key) -> Candidates:
        """Find what may serve a request; remembered until cards of its CAID change."""
        known = self._candidates.get(key[0])
        if known is not None and known[0] == self._table.generation_of(key[0]):
            found = known[1].get(key)
            if found is not None:
                return found
        return self._find(key)

    def wanted(self, key: Key) -> Wanted:
        """What of a request decides which cards fit it."""
        caid, ident, share_id, sid = key
        if not self._relays:
            return Wanted(caid, ident, sid)
        ways = self._ways_to(share_id)
        return Wanted(caid, ident, sid, frozenset(ways[0].card.path if ways else ()))

    def _find(self, key: Key) -> Candidates:
        wanted, share_id = self.wanted(key), key[2]
        cards = self._fitting(wanted)
        found = Candidates(
            cards,
            frozenset(cards),
            frozenset(card.id for card in cards),
            self._refusal(wanted.caid, share_id),
        )
        meant = self._ways.get(share_id)
        if share_id == 0 or (meant and meant[0].card.caid == wanted.caid):
            self._remember_candidates(key, found)
        return found

    def _remember_candidates(self, key: Key, found: Candidates) -> None:
        caid, generation = key[0], self._table.generation_of(key[0])
        if self._candidates_count >= REQUESTS_KEPT:
            self._candidates.clear()
            self._candidates_count = 0
        known = self._candidates.get(caid)
        if known is None or known[0] != generation:
            self._candidates_count -= len(known[1]) if known else 0
            known = self._candidates[caid] = generation, {}
        known[1][key] = found
        self._candidates_count += 1

    def _fitting(self, wanted: Wanted) -> tuple[Card, ...]:
        if denies_service(self._viewer, wanted):
            return ()
        return tuple(
            verdict.card
            for verdict in self._visible(wanted.caid)
            if fit(verdict, wanted) is Reason.VISIBLE
        )

    def _visible(self, caid: Caid) -> Iterator[Verdict]:
        for card in self._table.cards_with(caid):
            if self._is_stale(card.own_share_id):
                self._look_at(card.own_share_id)
            verdict = self._verdicts.get(card)
            if verdict is not None:
                yield verdict

    def _refusal(self, caid: Caid, share_id: ShareId) -> Refusal:
        """Trouble that passes when the card asked for is not there (any more, or yet) (13.8)."""
        if share_id:
            return Refusal.CANNOT_DECODE if self._ways_to(share_id) else Refusal.PASSING
        seen = next(self._visible(caid), None)
        return Refusal.PASSING if seen is None else Refusal.CANNOT_DECODE

    # Following the table.

    def _follow(self) -> None:
        """Put what has changed into the queue."""
        table = self._table
        if self._generation == table.generation:
            return
        changes = table.changes_since(self._generation)
        self._generation = table.generation
        if changes is None:
            self._queue = deque(table.share_ids())
            changes = self._judged_at  # some of which are gone
        self._queue.extend(changes)

    def _is_stale(self, share_id: ShareId) -> bool:
        return self._judged_at.get(share_id) != self._table.changed_at.get(share_id)

    def _ways_to(self, share_id: ShareId) -> tuple[Verdict, ...]:
        if self._is_stale(share_id):
            self._look_at(share_id)
        return self._ways.get(share_id, ())

    def _look_at(self, share_id: ShareId) -> None:
        """Judge all ways to one card anew."""
        changed_at = self._table.changed_at.get(share_id)
        if changed_at is None:
            self._judged_at.pop(share_id, None)
        else:
            self._judged_at[share_id] = changed_at
        for verdict in self._ways.pop(share_id, ()):
            del self._verdicts[verdict.card]
        before = self._offers.get(share_id)
        verdicts = (judge(self._viewer, card) for card in self._table.ways_to(share_id))
        ways = tuple(verdict for verdict in verdicts if verdict.visible)
        if not ways:
            if before is not None:
                del self._offers[share_id]
                self._touched[share_id] = None
            return
        self._ways[share_id] = ways
        self._verdicts.update((verdict.card, verdict) for verdict in ways)
        offer = announcement(ways[0], self._table.own_node_id)
        if offer != before:
            self._offers[share_id] = offer
            self._touched[share_id] = None


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


def difference(old: Mapping[ShareId, Offer], new: Mapping[ShareId, Offer]) -> Iterator[Change]:
    """Say what a client that was told `old` must be told for `new`.

    First the share ids of what is withdrawn, then what is offered. A card whose words changed
    is offered again; the same share id replaces it.
    """
    for told, now in differing_parts(old, new):
        yield from (share_id for share_id in told if share_id not in now)
    for told, now in differing_parts(old, new):
        for share_id, offer in now.items():
            before = told.get(share_id)
            # Most are the very same object, and comparing all fields would cost 20 times as much.
            if before is not offer and before != offer:
                yield offer
