"""Faults put into the server on purpose, to see that the simulation finds each of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from cccamd.acting import Answer
from cccamd.cards import CardTable, visibility
from cccamd.cards.view import View
from cccamd.net import TlsCall, TlsDoor
from cccamd.net.admission import Admission
from cccamd.net.penalties import Penalties
from cccamd.routing import Refuse, Result
from cccamd.routing.actions import Told
from cccamd.routing.cache import CwCache
from cccamd.routing.course import Course
from cccamd.routing.flights import Flight
from cccamd.routing.ranking import Priorities
from cccamd.routing.verification import Verification
from cccamd.server import snapshot, upstreams
from cccamd.server.acts import Acts
from cccamd.server.dvbapi import DvbapiDoor
from cccamd.server.dvbapi.session import DvbapiSession
from cccamd.server.exchange import Exchange
from cccamd.server.linkcards import LinkCards
from cccamd.server.login import Login
from cccamd.server.newcamd import NewcamdPorts
from cccamd.server.paired import PairedLinks
from cccamd.server.session import Session
from cccamd.server.snapshot import _card
from cccamd.server.upstreams import UpstreamSource
from cccamd.wire.dvbapi import DvbapiServer
from cccamd.wire.newcamd import NewcamdClient

Mutant = Callable[[], Any]


def answers_twice() -> Any:
    """A CW that was given is given again."""
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
    give_up = Course._give_up

    def never(self: Course, waiting: Any, now: float) -> list[Any]:
        is_late = now >= waiting.deadline_at
        return [] if is_late else give_up(self, waiting, now)

    return patch.object(Course, "_give_up", never)


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
    return patch.object(LinkCards, "drop", lambda self: None)


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


def _mixes_up_answers() -> Any:
    """What a newcamd server says is taken for the answer to another question."""
    on_answer = NewcamdClient._on_answer

    def mixed(self: NewcamdClient, frame: Any) -> None:
        if len(self._asked) > 1:
            *_, last = self._asked
            first = next(iter(self._asked))
            self._asked[first], self._asked[last] = self._asked[last], self._asked[first]
        on_answer(self, frame)

    return patch.object(NewcamdClient, "_on_answer", mixed)


def _brings_cards_near() -> Any:
    """The card of an N-line is at no distance, whatever the line says."""
    hops = upstreams._hops
    return patch.object(upstreams, "_hops", lambda line: None if hops(line) is None else 0)


def _shows_tv_to_the_disabled() -> Any:
    """dvbapi clients are an account with which nobody can log in."""
    return patch("cccamd.server.dvbapi.door._closed_to", lambda account: "")


def _keeps_the_rights_of_tv() -> Any:
    """A reload changes nothing for dvbapi clients."""
    settle = DvbapiDoor._settle

    async def stay(self: DvbapiDoor, account: Any) -> None:
        if self._home is None:
            await settle(self, account)

    return patch.object(DvbapiDoor, "_settle", stay)


def _leaks_services() -> Any:
    """What a receiver program wanted is not forgotten when it leaves."""
    return patch.object(DvbapiSession, "_release", lambda self: self._alarm.end())


def _mixes_up_services() -> Any:
    """The keys of one service of a receiver program are set for another."""
    put = DvbapiServer.set_descrambler

    def other(self: DvbapiServer, channel: Any, index: int, *words: Any) -> None:
        put(self, channel, index ^ 1, *words)

    return patch.object(DvbapiServer, "set_descrambler", other)


def _takes_any_key() -> Any:
    """Whoever has some key is the first that is paired."""
    identify = TlsDoor._identify

    def first(self: TlsDoor, transport: Any) -> Any:
        return next(iter(self._keyring.paired().values()), None), identify(self, transport)[1]

    return patch.object(TlsDoor, "_identify", first)


class _AnyCode(bytes):
    """Is equal to all others."""

    __hash__ = bytes.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def _logs_in_at_any_key() -> Any:
    """The key that an upstream shows is not compared."""
    expected = TlsCall.expected

    def anything(self: TlsCall) -> Any:
        known = expected(self)
        return replace(known, code=_AnyCode(known.code))  # type: ignore[type-var]

    return patch.object(TlsCall, "expected", anything)


def _waits_for_handshakes() -> Any:
    return patch("cccamd.net.tls.HANDSHAKE_TIMEOUT", 1e6)


def _keeps_the_unpaired() -> Any:
    """Links stay when their pairing is forgotten."""
    return patch.object(PairedLinks, "look", lambda self: None)


def _needs_no_key() -> Any:
    """A paired account is let in by any way."""
    return patch.object(Login, "_link_trouble", lambda *words: None)


def _sends_nobody_away() -> Any:
    return patch.object(Acts, "kick", lambda *words: Answer(text="sent away"))


def _asks_paused_links() -> Any:
    async def pause(self: UpstreamSource) -> None:
        self.is_paused = True

    return patch.object(UpstreamSource, "pause", pause)


def _resumes_no_link() -> Any:
    return patch.object(UpstreamSource, "resume", lambda self: None)


def _keeps_the_disabled() -> Any:
    """Who is logged in with an account stays when it is disabled."""
    return patch("cccamd.setup.logins.Account.same_login", lambda *words: True)


def _forgives_nobody() -> Any:
    """Bans stay, whatever somebody says at the controls."""
    return patch.object(Penalties, "forget", lambda *words: True)


MUTANTS: Final[dict[str, Mutant]] = {
    "answers twice": answers_twice,
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
    "mixes up newcamd answers": _mixes_up_answers,
    "brings cards near": _brings_cards_near,
    "shows TV to the disabled": _shows_tv_to_the_disabled,
    "keeps the rights of TV": _keeps_the_rights_of_tv,
    "leaks services": _leaks_services,
    "mixes up services": _mixes_up_services,
    "takes any key": _takes_any_key,
    "logs in at any key": _logs_in_at_any_key,
    "waits for handshakes": _waits_for_handshakes,
    "keeps the unpaired": _keeps_the_unpaired,
    "needs no key": _needs_no_key,
    "sends nobody away": _sends_nobody_away,
    "asks paused links": _asks_paused_links,
    "resumes no link": _resumes_no_link,
    "keeps the disabled": _keeps_the_disabled,
    "forgives nobody": _forgives_nobody,
    "raises": _raises,
    "raises in a decision": _breaks_off,
}
