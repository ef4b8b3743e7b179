"""One client's view of the card table: what it is told, and what may serve its requests.

Source: docs/protocol.md section 11.
"""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass

from cccamd.cards.card import Card
from cccamd.cards.services import Wanted, denies_service, fit, fit_sentence
from cccamd.cards.sight import Candidates, Change, Shown, Sight, sight_of
from cccamd.cards.table import CardTable
from cccamd.cards.visibility import Reason, Verdict, Viewer, judge
from cccamd.ids import ShareId
from cccamd.values import Offer, Request


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


class View:
    """What one client sees. It shares nearly all of it with those who have the same rights."""

    __slots__ = ("_nodes_generation", "_shared", "_table", "viewer")

    def __init__(self, table: CardTable, viewer: Viewer) -> None:
        self.viewer = viewer
        self._table = table
        self._nodes_generation = table.nodes_generation
        self._shared = sight_of(table, viewer)

    def candidates(self, request: Request) -> Candidates:
        """Find what may serve a request; remembered until cards of its CAID change."""
        if self._nodes_generation != self._table.nodes_generation:
            return self._sight.candidates(request[:4])
        return self._shared.candidates(request[:4])

    def card(self, share_id: ShareId) -> Card | None:
        """The card that the client means by a share id; None when it sees none by that name."""
        return self._sight.card(share_id)

    @property
    def behind(self) -> int:
        """How many cards must be judged before the client can be told the newest list."""
        return self._sight.behind

    def looks(self) -> Generator[None, None, None]:
        """Judge them, a card a step; for all who have the same rights."""
        return self._sight.looks()

    @property
    def shown(self) -> Shown:
        """What the client is to be told, as far as it was judged: each card once, by the nearest
        way that it may see."""
        return self._sight.shown

    def changes_since(self, told: Shown) -> Iterable[Change]:
        """What leads the client from what it was told to what was shown last."""
        return self._sight.changes_since(told)

    def announcements(self) -> Mapping[ShareId, Offer]:
        """The same when all are judged, which this does at once; it stays as it is."""
        for _ in self.looks():
            pass
        return self.shown.offers

    def explain(self, request: Request) -> tuple[Exclusion, ...]:
        """Say for each card of the request's CAID that does not serve it why not."""
        cards = self._table.cards_with(request.caid)
        found = (self.exclusion(card, request) for card in cards)
        return tuple(exclusion for exclusion in found if exclusion is not None)

    def exclusion(self, card: Card, request: Request) -> Exclusion | None:
        """Say why one of them does not serve it; None: it does."""
        wanted = self._sight.wanted(request[:4])
        verdict = judge(self.viewer, card)
        reason = self._reason(verdict, wanted)
        return None if reason is Reason.VISIBLE else Exclusion(verdict, wanted, reason)

    @property
    def _sight(self) -> Sight:
        """Nodes come and go: who is a server that our own requests may reach sees less."""
        if self._nodes_generation != self._table.nodes_generation:
            self._nodes_generation = self._table.nodes_generation
            self._shared = sight_of(self._table, self.viewer)
        return self._shared

    def _reason(self, verdict: Verdict, wanted: Wanted) -> Reason:
        if not verdict.visible:
            return verdict.reason
        if denies_service(self.viewer, wanted):
            return Reason.SERVICE_DENIED
        return fit(verdict, wanted)
