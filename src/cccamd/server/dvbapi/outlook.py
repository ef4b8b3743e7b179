"""What the cards may make of a service for the account of `[dvbapi]`, now and later."""

from collections.abc import Callable
from typing import Final

from cccamd.cards import View, Wanted, denies_service, find_limit
from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.softcam import Chance, EmmCard, Prospect
from cccamd.values import UA_LENGTH, Request

EMM_CARDS_LIMIT: Final = 16
"""Cards that are looked after at once; the nearest first."""
_NO_UA: Final = bytes(UA_LENGTH)


class Outlook:
    """Looks at the cards as one client sees them."""

    def __init__(
        self,
        view: View,
        *,
        may_come: Callable[[Caid], bool],
        is_constant: Callable[[Request], bool],
        takes_emms: bool,
    ) -> None:
        """`may_come`: a source that is not there now may bring a card of this CAID;
        `is_constant`: all cards that may serve this give the same CW for whatever ECM."""
        self.view = view
        self._may_come = may_come
        self._is_constant = is_constant
        self._takes_emms = takes_emms

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
        found = [each for each in self.view.shown.offers.values() if each.ua != _NO_UA]
        found.sort(key=lambda offer: (offer.hop, offer.share_id))
        return tuple(EmmCard(each.share_id, each.caid) for each in found[:EMM_CARDS_LIMIT])
