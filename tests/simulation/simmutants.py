"""Faults put into the server on purpose, to see that the simulation finds each of them."""

from collections.abc import Callable
from typing import Any, Final
from unittest.mock import patch

from cccamd.cards import CardTable, visibility
from cccamd.cards.view import View
from cccamd.net.admission import Admission
from cccamd.net.penalties import Penalties
from cccamd.routing import Refuse, Result
from cccamd.routing.actions import Told
from cccamd.routing.cache import CwCache
from cccamd.routing.flights import Flight
from cccamd.routing.ranking import Priorities
from cccamd.routing.router import Router
from cccamd.routing.verification import Verification
from cccamd.server import snapshot
from cccamd.server.exchange import Exchange
from cccamd.server.newcamd import NewcamdPorts
from cccamd.server.session import Session
from cccamd.server.snapshot import _card
from cccamd.server.upstreams import UpstreamSource

Mutant = Callable[[], Any]


def _answers_twice() -> Any:
    deliver = Session.deliver

    def twice(self: Session, token: int, *words: Any) -> None:
        request = self._requests.get(token)
        deliver(self, token, *words)
        if request is not None and len(request.section) % 2:
            self._protocol.answer(token, words[0])

    return patch.object(Session, "deliver", twice)


def _forgets_a_waiter() -> Any:
    """Of two that want the same ECM, the second is forgotten."""

    entitled_to = Flight.entitled_to
    return patch.object(Flight, "entitled_to", lambda *words: entitled_to(*words)[:1])


def _misses_deadlines() -> Any:
    """Nobody who waits for a source that stays silent is ever refused."""
    give_up = Router._give_up

    def never(self: Router, waiting: Any, now: float) -> list[Any]:
        is_late = now >= waiting.deadline_at
        return [] if is_late else give_up(self, waiting, now)

    return patch.object(Router, "_give_up", never)


def _leaks_flights() -> Any:
    return patch.object(Exchange, "remove_client", lambda *words: None)


def _leaks_places() -> Any:
    leave = Admission.leave

    def stay(self: Admission[Any], key: Any) -> None:
        if len(self._addresses) % 3:
            leave(self, key)

    return patch.object(Admission, "leave", stay)


def _one_cache_for_all() -> Any:
    """What one client was told is told to everybody."""
    answer = CwCache.answer

    def anybody(self: CwCache, wanted: Any, now: float, vouches: Any) -> Any:
        entry = self._entries.get(wanted[1])
        if entry is not None and entry[1] > now:
            cw, cards, log, _ = entry[0]
            return Told(wanted, cw, cards[0], log, Result.CACHED, now)
        return answer(self, wanted, now, vouches)

    return patch.object(CwCache, "answer", anybody)


def _ignores_hops() -> Any:
    judge_limits = visibility._judge_limits

    def judge(viewer: Any, card: Any) -> Any:
        return judge_limits(viewer, card)

    return patch("cccamd.cards.sight.judge", judge)


def _believes_everything() -> Any:
    return patch.object(Verification, "flaw", lambda *words: None)


def _keeps_lost_cards() -> Any:
    return patch.object(UpstreamSource, "_drop_cards", lambda self: None)


def _forgets_the_refused() -> Any:
    """A refusal is lost when it is carried out with others."""
    carry_out = Exchange._carry_out
    count = [0]

    def lose(self: Exchange, action: Any, now: float) -> Any:
        if isinstance(action, Refuse):
            count[0] += 1
            if count[0] % 5 == 0:
                return ()
        return carry_out(self, action, now)

    return patch.object(Exchange, "_carry_out", lose)


def _old_rights() -> Any:
    """A reload changes nothing for who is logged in."""
    return patch.object(Session, "adopt", lambda self, account: None)


def _old_rights_for_who_waits() -> Any:
    """A reload changes nothing for what was asked before it."""
    return patch.object(Exchange, "rights_changed", lambda *words: None)


def _believes_the_contradicted() -> Any:
    """Of what repeats, the first that can be told is told, whatever others have said."""
    return patch.object(Verification, "contradicts", lambda *words: False)


def _no_priorities() -> Any:
    """CCcam.prio keeps nothing from upstreams."""
    return patch.object(Priorities, "ignores", lambda *words: False)


def _breaks_off() -> Any:
    """Something raises in a decision now and then."""
    accept, count = Verification.accept, [0]

    def fail(self: Verification, *words: Any, **more: Any) -> Any:
        count[0] += 1
        if count[0] % 20 == 0:
            raise KeyError
        return accept(self, *words, **more)

    return patch.object(Verification, "accept", fail)


def _raises() -> Any:
    def card(self: View, share_id: Any) -> Any:
        raise KeyError(share_id)

    return patch.object(View, "card", card)


def _bans_nobody() -> Any:
    """Whoever guesses may go on."""
    return patch.object(Penalties, "banned", lambda *words: 0.0)


def _forgets_its_new_port() -> Any:
    """A reload that moves the newcamd port closes the old one and opens none."""

    async def nothing(*words: Any) -> str:
        return ""

    opened, count = NewcamdPorts._open, [0]

    async def once(self: NewcamdPorts, *words: Any) -> str:
        count[0] += 1
        return await (opened if count[0] == 1 else nothing)(self, *words)

    return patch.object(NewcamdPorts, "_open", once)


def _miscounts_cards() -> Any:
    """A card that went is still counted."""
    detach = CardTable._detach

    def forget(self: CardTable, card: Any) -> None:
        detach(self, card)
        self._sources[card.source].hops[card.hop] += 1

    return patch.object(CardTable, "_detach", forget)


def _torn_looks() -> Any:
    """A look counts on what it saw first still being there."""

    def cards(table: CardTable, sources: Any, sessions: Any) -> Any:
        found = []
        for card in table.cards():
            found.append(_card(card, sources, ()))
            yield
        return tuple(found)

    return patch.object(snapshot, "_cards", cards)


MUTANTS: Final[dict[str, Mutant]] = {
    "answers twice": _answers_twice,
    "forgets a waiter": _forgets_a_waiter,
    "misses deadlines": _misses_deadlines,
    "leaks flights": _leaks_flights,
    "leaks places": _leaks_places,
    "one cache for all": _one_cache_for_all,
    "ignores hops": _ignores_hops,
    "believes everything": _believes_everything,
    "keeps lost cards": _keeps_lost_cards,
    "forgets the refused": _forgets_the_refused,
    "keeps old rights": _old_rights,
    "keeps old rights for who waits": _old_rights_for_who_waits,
    "believes the contradicted": _believes_the_contradicted,
    "has no priorities": _no_priorities,
    "bans nobody": _bans_nobody,
    "forgets its new port": _forgets_its_new_port,
    "miscounts cards": _miscounts_cards,
    "tears a look": _torn_looks,
    "raises": _raises,
    "raises in a decision": _breaks_off,
}
