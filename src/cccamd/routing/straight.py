"""The straight way: the ECM of a client that leaves nothing to decide.

Theory of operation. One card fits, it is our own and always answers at once, nobody else waits
for this ECM, and nothing speaks against the card: then there is nothing to choose, to share, to
wait for or to give up; such a card is never late, silent or withdrawn. Whoever carries out what is
decided asks the card right away (`card`). If its CW is a right one (`take`), what is known
afterwards is the same as if the router had decided each step, and the answer comes to a third of
the price. Whatever else the card says goes the usual way, with what it said.

That both ways come to the same is a property test (tests/server/test_straight.py).
"""

from typing import Final

from cccamd.cards import Card
from cccamd.routing.actions import Told, Wanted
from cccamd.routing.choosing import Chooser, HedgeBudget
from cccamd.routing.trace import Event, Result
from cccamd.routing.verification import Verification
from cccamd.values import ControlWords, Outcome, Service

_new = tuple.__new__  # half the price of calling the class, where one is made for every ECM
_ASKED: Final = Event.ASKED
_ANSWERED: Final = Outcome.ANSWERED
_BY_A_CARD: Final = Result.ANSWERED


class StraightWay:
    """Knows who may go it, and notes what the router would have noted."""

    def __init__(self, chooser: Chooser, verification: Verification, budget: HedgeBudget) -> None:
        self._chooser = chooser
        self._verification = verification
        self._budget = budget

    def card(self, wanted: Wanted) -> Card | None:
        """The card to ask; None: there is something to decide."""
        request, fingerprint, candidates, *_ = wanted
        cards = candidates.cards
        if len(cards) != 1:
            return None
        card = cards[0]
        chooser = self._chooser
        if not chooser.health.of(card.source).traits.immediate:
            return None
        if chooser.pauses:
            service = Service(request.caid, request.ident, request.sid)
            if chooser.pauses.get(card, service if request.sid else fingerprint) is not None:
                return None
        return card

    def take(
        self,
        card: Card,
        wanted: Wanted,
        cw: ControlWords,
        *,
        asked_at: float,
        now: float,
        deadline: float,
    ) -> Told | None:
        """Take a card's CW for right, if it is; None: nothing was noted, it goes the usual way."""
        (caid, ident, _, sid, _), fingerprint = wanted[:2]
        service = _new(Service, (caid, ident, sid))
        verification = self._verification
        if verification.flaw(service, fingerprint, cw) is not None:
            return None
        if verification.is_open(fingerprint, cw):  # it corrects or confirms what others said
            return None
        verification.accept(service, fingerprint, cw, card)
        seconds = now - asked_at
        health = self._chooser.health.of(card.source)
        health.count_answer(service, seconds, now)
        health.minute.count(_ANSWERED, seconds, deadline, now)
        self._budget.save()
        log = [(asked_at, _ASKED, card), (now, _ANSWERED, card)]
        return _new(Told, (wanted, cw, card, log, _BY_A_CARD, asked_at))
