"""What the cards may make of a service for the account of `[dvbapi]`, now and later."""

from collections.abc import Callable
from heapq import nsmallest
from itertools import islice
from typing import Final

from cccamd.cards import Card, View, Wanted, denies_service, find_limit
from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.localcards import EmmMatch
from cccamd.softcam import Chance, EmmCard, Prospect
from cccamd.values import UA_LENGTH, Offer, Request
from cccamd.wire.dvbapi import SectionMatch

EMM_CARDS_LIMIT: Final = 16
"""Cards that are looked after at once; the nearest first."""
OFFERS_LIMIT: Final = 5000
"""Cards among which those are looked for: a millisecond."""
_NO_UA: Final = bytes(UA_LENGTH)


class Outlook:
    """Looks at the cards as one client sees them."""

    def __init__(
        self,
        view: View,
        *,
        may_come: Callable[[Caid], bool],
        is_constant: Callable[[Request], bool],
        emm_matches: Callable[[Card], tuple[EmmMatch, ...]],
        takes_emms: bool,
    ) -> None:
        """`may_come`: a source that is not there now may bring a card of this CAID;
        `is_constant`: all cards that may serve this give the same CW for whatever ECM;
        `emm_matches`: which EMMs may be for a card, empty: any."""
        self.view = view
        self._may_come = may_come
        self._is_constant = is_constant
        self._emm_matches = emm_matches
        self._takes_emms = takes_emms
        self._shown: object = None
        self._emm_cards: tuple[EmmCard, ...] = ()

    def prospect(self, caid: Caid, ident: Ident, sid: Sid) -> Prospect:
        """What may be made of a service."""
        request = Request(caid, ident, ShareId(0), sid, b"")
        found = self.view.candidates(request)
        if found.cards:
            return Prospect(
                Chance.SERVED,
                local=any(card.local and not card.hop for card in found.cards),
                hop=min(card.hop for card in found.cards),
                cards=found.ids,
                constant=self._is_constant(request),
            )
        if self._is_denied(caid, ident, sid) or not self._may_come(caid):
            return Prospect(Chance.NEVER)
        return Prospect(Chance.MAY_COME)

    def _is_denied(self, caid: Caid, ident: Ident, sid: Sid) -> bool:
        viewer = self.view.viewer
        if denies_service(viewer, Wanted(caid, ident, sid)):
            return True
        limit = find_limit(viewer.limits, caid, ident) if viewer.limits else None
        return limit is not None and limit.number == 0

    def emm_cards(self) -> tuple[EmmCard, ...]:
        """The cards that take EMMs, and may have them from this client."""
        if not self._takes_emms:
            return ()
        shown = self.view.shown
        if shown is not self._shown:  # looked for once after each change, whoever asks
            some = islice(shown.offers.values(), OFFERS_LIMIT)
            takers = (each for each in some if each.ua != _NO_UA)
            nearest = nsmallest(EMM_CARDS_LIMIT, takers, key=lambda one: (one.hop, one.share_id))
            self._shown = shown
            self._emm_cards = tuple(self._emm_card(each) for each in nearest)
        return self._emm_cards

    def _emm_card(self, offer: Offer) -> EmmCard:
        card = self.view.card(offer.share_id)
        matches = self._emm_matches(card) if card is not None else ()
        if not matches:
            return EmmCard(offer.share_id, offer.caid)
        wanted = tuple(SectionMatch(*each) for each in matches)
        return EmmCard(offer.share_id, offer.caid, wanted)
