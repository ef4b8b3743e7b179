"""Faults put into nodes of a fleet on purpose, to see that the simulation finds each of them."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final
from unittest.mock import patch

from simmutants import answers_twice

from cccamd.fleet.actions import EngineBack, EngineLost, Fetched, Publish, Watch
from cccamd.fleet.claims import Claims, Go
from cccamd.fleet.leases import Granted, Leases
from cccamd.fleet.listening import Listening
from cccamd.fleet.values import Sealer
from cccamd.net.penalties import Penalties
from cccamd.routing import EmmGate, EmmVerdict, Tidings
from cccamd.routing.actions import Store
from cccamd.routing.course import Course
from cccamd.routing.router import Router
from cccamd.server import Server
from cccamd.server.exchange import Exchange
from cccamd.server.fleetdesk import FleetDesk
from cccamd.server.fleetlists import CardLists
from cccamd.server.fleetorders import Orders
from cccamd.values import ControlWords

Mutant = Callable[[], Any]


# Who asks.


def _claims_nothing() -> Any:
    return patch.object(Claims, "ask", lambda self, ask_id, *words, **more: [Go(ask_id)])


def _waits_for_nobody() -> Any:
    """Who has not got the claim asks as soon as it knows."""
    return patch.object(Claims, "_expected", lambda *words: -0.02)


def _claims_under_its_own_name() -> Any:
    """Each node claims another entry, so that each gets it."""
    name = Claims._claim_name

    def own(self: Claims, effort: Any) -> bytes:
        return name(self, effort)[:10] + self.node.encode().ljust(6)[:6]

    return patch.object(Claims, "_claim_name", own)


def _tells_nothing() -> Any:
    answered = Claims.answered

    def silent(self: Claims, *words: Any, **more: Any) -> list[Any]:
        return [each for each in answered(self, *words, **more) if not isinstance(each, Publish)]

    return patch.object(Claims, "answered", silent)


def _listens_to_nothing() -> Any:
    want = Listening.want

    def deaf(self: Listening, *words: Any) -> list[Any]:
        return [each for each in want(self, *words) if not isinstance(each, Watch)]

    return patch.object(Listening, "want", deaf)


def _asks_beside_what_is_ordered() -> Any:
    """What is held for other cards is not held back when a node orders one of ours."""
    adopt = Claims.adopt

    def all_go(self: Claims, fingerprint: Any, *words: Any) -> list[Any]:
        effort = self._efforts.get(fingerprint)
        held = [] if effort is None else self._let_go(effort)
        return held + adopt(self, fingerprint, *words)

    return patch.object(Claims, "adopt", all_go)


def _misses_no_list() -> Any:
    """What the engine has forgotten stays forgotten."""
    fetched = CardLists.fetched

    def takes(self: CardLists, event: Fetched) -> None:
        if event.value is not None:
            fetched(self, event)
        else:
            del self.fetching[event.name]

    return patch.object(CardLists, "fetched", takes)


# Who is answered.


def _waits_without_end() -> Any:
    """Who has the claim is waited for, whatever becomes of it."""
    return patch.object(Claims, "_expected", lambda *words: 1e6)


def _does_not_notice_that_the_engine_is_away() -> Any:
    handle = Claims.handle

    def blind(self: Claims, event: Any, now: float) -> list[Any]:
        return [] if isinstance(event, EngineLost) else handle(self, event, now)

    return patch.object(Claims, "handle", blind)


def _loses_what_it_holds() -> Any:
    """What was held is not asked when it may go."""
    go = Exchange.go

    def loses(self: Exchange, ask_id: Any) -> None:
        if ask_id % 5:
            go(self, ask_id)

    return patch.object(Exchange, "go", loses)


# What is believed.


def _believes_everything() -> Any:
    """What another node tells is not compared with what is known."""

    def believes(self: Course, tidings: Tidings, flight: Any, now: float) -> list[Any]:
        fingerprint, service, card, cw, corrects = tidings
        if flight is not None:
            return self._accept(flight, card, cw, now)
        return [Store(fingerprint, card, cw, [], (service.sid,), corrects, service)]

    return patch.object(Course, "heard", believes)


def _tells_what_it_doubts() -> Any:
    """A CW that was only believed for want of a better one goes to all."""
    return patch.object(Router, "doubts", lambda *words: False)


def _tells_before_it_looks() -> Any:
    """Whatever a card says is told to the others."""
    answered = Exchange.answered

    def tells(self: Exchange, ask_id: Any, cw: ControlWords) -> None:
        ask = self.router._asks.get(ask_id)
        if ask is not None and self.gate is not None:
            flight = ask.flight
            self.gate.stored(Store(flight.fingerprint, ask.card, cw, [], (), False, flight.service))
        answered(self, ask_id, cw)

    return patch.object(Exchange, "answered", tells)


def _mixes_up_ecms() -> Any:
    """The CW that is told of one ECM is taken for that of the next one of the service."""
    heard, last = Exchange.heard, dict[Any, ControlWords]()

    def mixes(self: Exchange, tidings: Tidings) -> None:
        key = id(self), tidings.service
        before = last.get(key, tidings.cw)
        last[key] = tidings.cw
        heard(self, tidings._replace(cw=before))

    return patch.object(Exchange, "heard", mixes)


# Accounts.


def _lets_everybody_in() -> Any:
    return patch.object(Leases, "begin", lambda self, number, *words: [Granted(number)])


def _keeps_no_lease_up() -> Any:
    due = Leases._is_due

    def once(self: Leases, seat: Any, now: float) -> list[Any]:
        return [] if seat.is_in else due(self, seat, now)

    return patch.object(Leases, "_is_due", once)


def _claims_no_seat_again() -> Any:
    """Who came in without the engine has no seat when it is back."""
    handle = Leases.handle

    def idle(self: Leases, event: Any, now: float) -> list[Any]:
        if isinstance(event, EngineBack):
            self.is_up = True
            return [Watch(self._channel)]
        return handle(self, event, now)

    return patch.object(Leases, "handle", idle)


def _keeps_seats_of_the_gone() -> Any:
    """Who leaves stays in at the engine, and in the ledger."""
    return patch.object(Leases, "left", lambda *words: [])


# What is left.


def _keeps_orders() -> Any:
    def keeps(self: Orders, token: int, cw: ControlWords, trace: Any) -> None:
        if order := self._orders.get(token):
            self._reply(order, cw)

    return patch.object(Orders, "deliver", keeps)


def _keeps_asks() -> Any:
    return patch.object(Claims, "ended", lambda *words: None)


# Who may come, and who is no node.


def _hears_of_no_failures() -> Any:
    """Each node counts alone."""
    with_bans = ExitStack()
    for name in ("failed_elsewhere", "ban"):
        with_bans.enter_context(patch.object(Penalties, name, lambda *words, **more: None))
    return with_bans


def _hears_of_no_pardon() -> Any:
    return patch.object(Penalties, "forget_names", lambda *words: True)


def _takes_any_key() -> Any:
    """All fleets at an engine are one."""
    make = Sealer.__init__
    return patch.object(Sealer, "__init__", lambda self, key: make(self, bytes(32)))


def _keeps_its_files() -> Any:
    async def keeps(self: Server, setup: Any) -> None:
        """Go by what was read at the start."""

    return patch.object(Server, "reload", keeps)


# EMMs.


def _keeps_emms_to_itself() -> Any:
    return patch.object(FleetDesk, "_update", lambda *words: None)


def _passes_each_emm_of_a_node() -> Any:
    """Whoever sends it, the card gets it."""
    verdict = EmmVerdict.PASSED
    return patch.object(EmmGate, "decide_for_node", lambda *words, **more: verdict)


MUTANTS: Final[dict[str, Mutant]] = {
    "claims nothing": _claims_nothing,
    "waits for nobody": _waits_for_nobody,
    "claims under its own name": _claims_under_its_own_name,
    "tells nothing": _tells_nothing,
    "listens to nothing": _listens_to_nothing,
    "asks beside what is ordered": _asks_beside_what_is_ordered,
    "misses no list": _misses_no_list,
    "answers twice": answers_twice,
    "waits without end": _waits_without_end,
    "does not notice that the engine is away": _does_not_notice_that_the_engine_is_away,
    "loses what it holds": _loses_what_it_holds,
    "believes everything": _believes_everything,
    "tells what it doubts": _tells_what_it_doubts,
    "tells before it looks": _tells_before_it_looks,
    "mixes up ECMs": _mixes_up_ecms,
    "lets everybody in": _lets_everybody_in,
    "keeps no lease up": _keeps_no_lease_up,
    "claims no seat again": _claims_no_seat_again,
    "keeps the seats of the gone": _keeps_seats_of_the_gone,
    "keeps orders": _keeps_orders,
    "keeps asks": _keeps_asks,
    "hears of no failures": _hears_of_no_failures,
    "hears of no pardon": _hears_of_no_pardon,
    "takes any key": _takes_any_key,
    "keeps EMMs to itself": _keeps_emms_to_itself,
    "passes each EMM of a node": _passes_each_emm_of_a_node,
    "keeps its files": _keeps_its_files,
}
