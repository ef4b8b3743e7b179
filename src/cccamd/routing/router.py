"""Where an ECM goes: plain decisions, values in, actions out.

Why it decides as it does: docs/design/routing.md.
"""

from cccamd.cards import Card, SourceId, View
from cccamd.routing.actions import Abandon, Action, Ask, AskId, Deliver, Refuse, Waiter
from cccamd.routing.budget import HedgeBudget
from cccamd.routing.cache import CwCache
from cccamd.routing.choosing import Chooser
from cccamd.routing.health import SourceTraits
from cccamd.routing.inflight import Flight, PendingAsk, Waiting
from cccamd.routing.keys import EcmKey, Refusal
from cccamd.routing.patience import ASK_LIFETIME, UNKNOWN_USUAL, overdue_after, stalled_after
from cccamd.routing.priorities import Priorities
from cccamd.routing.settings import RouterSettings
from cccamd.routing.timers import Timers
from cccamd.routing.trace import Event, Result, Trace
from cccamd.routing.verification import Flaw, Verification
from cccamd.wire.cccam import ControlWords, EcmRequest, Nok

_EVENTS = {
    Refusal.NOT_DECODED: Event.NOT_DECODED,
    Refusal.PASSING: Event.PASSING,
    Refusal.NOT_SENT: Event.NOT_SENT,
}


class Router:
    """Decides for each ECM which cards are asked and who gets the answer.

    Every method takes the time (seconds, monotonic) and returns what to do, in order. Each
    `Ask` must be reported as `answered`, `refused` or by `source_lost`, once, unless it takes
    longer than `ASK_LIFETIME`; what is reported of unknown asks is ignored.
    """

    def __init__(
        self, settings: RouterSettings | None = None, priorities: Priorities | None = None
    ) -> None:
        settings = settings or RouterSettings()
        self._deadline = settings.deadline
        self._cache = CwCache(limit=settings.cache_limit, lifetime=settings.cw_lifetime)
        self._verification = Verification(check_checksums=settings.check_checksums)
        self._budget = HedgeBudget(settings.hedge_share)
        self._chooser = Chooser(priorities or Priorities())
        self._timers = Timers()
        self._flights: dict[EcmKey, Flight] = {}
        self._waiting: dict[Waiter, Waiting] = {}
        self._asks: dict[AskId, PendingAsk] = {}
        self._ask_count = 0

    @property
    def priorities(self) -> Priorities:
        """What CCcam.prio says. May be replaced at any time."""
        return self._chooser.priorities

    @priorities.setter
    def priorities(self, priorities: Priorities) -> None:
        self._chooser.priorities = priorities

    def source_ready(self, source: SourceId, traits: SourceTraits, now: float) -> None:
        """A source can be asked (again), or its traits have changed."""
        self._chooser.health.ready(source, traits, now)

    def source_renewed(self, source: SourceId) -> None:
        """Its cards have learnt something: what they refused before is worth asking again."""
        self._chooser.pauses.forget(source)

    def source_lost(self, source: SourceId, now: float) -> list[Action]:
        """A source cannot be asked any more; what it was asked goes to others."""
        self._chooser.health.lost(source)
        self._chooser.pauses.forget(source)
        actions: list[Action] = []
        for ask in [ask for ask in self._asks.values() if ask.card.source == source]:
            self._end_ask(ask, Event.LOST, now)
            actions += self._move_on(ask, Refusal.PASSING, now)
        return actions

    def request(self, waiter: Waiter, view: View, request: EcmRequest, now: float) -> list[Action]:
        """A client wants a CW. Its waiter, a new one for each request, gets exactly one
        `Deliver` or `Refuse`, now or later, unless it is `waiter_gone` before."""
        candidates = view.candidates(request)
        key = (request[0], request[1], request[4])
        if entry := self._cache.get(key, now):
            for card in entry.cards:
                if card in candidates.members:
                    trace = Trace(request[:4], now, now, Result.CACHED, card, entry.log)
                    return [Deliver(waiter, entry.cw, trace)]
        flight = self._flights.get(key)
        loops = flight.loops(waiter, view.viewer.node_id) if flight else []
        if not candidates.cards:
            nok = Nok.NOK1 if loops else candidates.nok
            trace = Trace(request[:4], now, now, Result.NO_CARD, None, [])
            return [*loops, Refuse(waiter, nok, trace)]
        if flight is None:
            flight = self._flights[key] = Flight(key, request)
        waiting = Waiting(waiter, flight, request, candidates, now, now + self._deadline)
        self._waiting[waiter] = flight.waiting[waiter] = waiting
        self._timers.set(waiting.deadline_at, self._deadline_passed, waiting)
        actions = loops + self._serve(waiting, now)
        return actions if flight.pending else actions + self._tidy(flight)

    def answered(self, ask_id: AskId, cw: ControlWords, now: float) -> list[Action]:
        """A source gave a CW. Late ones are welcome too."""
        ask = self._asks.get(ask_id)
        if ask is None:
            return []
        flight = ask.flight
        ask.health.heard_at = now
        ask.health.count_answer(flight.service, now - ask.asked_at, now)
        flaw = self._verification.flaw(flight.service, flight.key, cw)
        if flaw is Flaw.REPEATED and not ask.health.traits.constant:
            return self._suspect(ask, cw, now)
        if flaw is Flaw.ZERO or flaw is Flaw.CHECKSUM:
            self._end_ask(ask, Event.WRONG_CW, now)
            refusal = Refusal.NOT_DECODED if flaw is Flaw.ZERO else Refusal.PASSING
            return self._ask_refused(ask, refusal, now)
        self._end_ask(ask, Event.ANSWERED, now)
        return self._accept(flight, ask.card, cw, now)

    def refused(self, ask_id: AskId, refusal: Refusal, now: float) -> list[Action]:
        """A source gave no CW."""
        ask = self._asks.get(ask_id)
        if ask is None:
            return []
        self._end_ask(ask, _EVENTS[refusal], now)
        if refusal is Refusal.NOT_SENT:
            # Nothing was heard of the source.
            return self._move_on(ask, refusal, now)
        ask.health.heard_at = now
        return self._ask_refused(ask, refusal, now)

    def waiter_gone(self, waiter: Waiter, now: float) -> list[Action]:
        """Nobody wants this answer any more: the client left."""
        waiting = self._waiting.get(waiter)
        if waiting is None:
            return []
        self._end_waiting(waiting)
        return self._tidy(waiting.flight)

    def usual(self, source: SourceId, now: float) -> float | None:
        """The usual answer time of a source in seconds; None: not known (any more)."""
        return self._chooser.health.of(source).times.usual(now)

    def next_deadline(self) -> float | None:
        """When to call `handle_deadline`; None: not before something else happens."""
        return self._timers.next_at()

    def handle_deadline(self, now: float) -> list[Action]:
        """Do what is due by now."""
        return self._timers.run(now)

    # What a waiter gets.

    def _serve(self, waiting: Waiting, now: float) -> list[Action]:
        """See to it that a waiter has something to wait for, or is answered."""
        pending = waiting.flight.pending_for(waiting) if waiting.flight.pending else ()
        for ask in pending:
            if ask.fresh:
                return []
        card = self._chooser.best(waiting, now)
        if card:
            return [self._ask(waiting.flight, card, Event.ASKED, now)]
        return [] if pending else self._give_up(waiting, now)

    def _serve_all(self, flight: Flight, now: float) -> list[Action]:
        actions: list[Action] = []
        for waiting in list(flight.waiting.values()):
            if not waiting.done:
                actions += self._serve(waiting, now)
        return actions + self._tidy(flight)

    def _give_up(self, waiting: Waiting, now: float) -> list[Action]:
        """Refuse a waiter, unless a suspect CW is all there is: then it is probably right."""
        flight = waiting.flight
        for card, cw in flight.suspects.items():
            if card in waiting.candidates.members:
                return self._accept(flight, card, cw, now)
        asked = any(card in flight.tried for card in waiting.candidates.cards)
        late = bool(flight.pending_for(waiting))
        result = Result.DEADLINE if late else Result.REFUSED if asked else Result.RESTING
        self._chooser.explain_none(waiting, now)
        self._end_waiting(waiting)
        trace = waiting.trace(now, result)
        return [Refuse(waiting.waiter, self._chooser.nok(waiting), trace)]

    def _deadline_passed(self, waiting: Waiting, now: float) -> list[Action]:
        return self._give_up(waiting, now) + self._tidy(waiting.flight)

    def _end_waiting(self, waiting: Waiting) -> None:
        waiting.done = True
        del self._waiting[waiting.waiter]
        del waiting.flight.waiting[waiting.waiter]

    # What is asked.

    def _ask(self, flight: Flight, card: Card, event: Event, now: float) -> Ask:
        health = self._chooser.health.of(card.source)
        known = health.usual(flight.service, now)
        usual = (UNKNOWN_USUAL if known is None else known) * health.turns
        self._ask_count += 1
        ask = PendingAsk(AskId(self._ask_count), flight, card, health, now, usual)
        self._asks[ask.ask_id] = flight.pending[ask.ask_id] = ask
        flight.tried[card] = None
        flight.log.append((now, event, card))
        health.load += 1
        if event is Event.ASKED:
            self._budget.save()
        self._timers.set(now + overdue_after(usual), self._overdue, ask)
        caid, ident, _, sid, ecm = flight.request
        return Ask(ask.ask_id, card.source, card, EcmRequest(caid, ident, card.share_id, sid, ecm))

    def _end_ask(self, ask: PendingAsk, event: Event, now: float) -> None:
        ask.done = True
        del self._asks[ask.ask_id]
        del ask.flight.pending[ask.ask_id]
        ask.flight.log.append((now, event, ask.card))
        ask.health.load -= 1

    def _overdue(self, ask: PendingAsk, now: float) -> list[Action]:
        """An answer is later than usual: ask another card as well, if the budget allows."""
        ask.health.late_since = max(ask.health.late_since, ask.asked_at)
        ask.flight.log.append((now, Event.OVERDUE, ask.card))
        self._timers.set(
            ask.asked_at + stalled_after(ask.usual, self._deadline), self._stalled, ask
        )
        for waiting in ask.flight.waiters_for(ask.card):
            card = self._chooser.better(waiting, now)
            if card and self._budget.spend():
                ask.fresh = False
                return [self._ask(ask.flight, card, Event.ASKED_ALSO, now)]
        return []

    def _stalled(self, ask: PendingAsk, now: float) -> list[Action]:
        """An answer is so late that nobody counts on it any more."""
        ask.fresh = False
        if ask.health.is_late(now):
            self._chooser.health.stalled(ask.card.source, now)
        self._timers.set(ask.asked_at + ASK_LIFETIME, self._timed_out, ask)
        return self._serve_all(ask.flight, now)

    def _timed_out(self, ask: PendingAsk, now: float) -> list[Action]:
        ask.health.count_silence(ask.flight.service, now - ask.asked_at, now)
        self._end_ask(ask, Event.TIMED_OUT, now)
        actions = self._ask_refused(ask, Refusal.PASSING, now)
        return actions if ask.abandoned else [*actions, Abandon(ask.ask_id)]

    # What becomes of an ask.

    def _accept(self, flight: Flight, card: Card, cw: ControlWords, now: float) -> list[Action]:
        """Take a CW for right: keep it, and give it to all who may see a card that gave it."""
        self._verification.accept(flight.service, flight.key, cw)
        actions = self._credit(flight, card, cw, now)
        if flight.suspects:
            for suspect in self._settle_suspects(flight, cw, now):
                actions += self._credit(flight, suspect, cw, now)
        return actions + self._tidy(flight)

    def _settle_suspects(self, flight: Flight, cw: ControlWords, now: float) -> list[Card]:
        """Those who said the same were right; the others told an old CW."""
        right = [suspect for suspect, its_cw in flight.suspects.items() if its_cw == cw]
        for suspect in flight.suspects:
            if suspect not in right:
                self._chooser.pauses.start(suspect, flight.service, Refusal.PASSING, now)
        flight.suspects.clear()
        return right

    def _credit(self, flight: Flight, card: Card, cw: ControlWords, now: float) -> list[Action]:
        """Keep the CW as told by a card, and give it to those who may see that card."""
        self._chooser.pauses.end(card, flight.service)
        self._cache.put(flight.key, card, cw, flight.log, now)
        actions: list[Action] = []
        for waiting in flight.waiters_for(card):
            self._end_waiting(waiting)
            trace = waiting.trace(now, Result.ANSWERED, card)
            actions.append(Deliver(waiting.waiter, cw, trace))
        return actions

    def _suspect(self, ask: PendingAsk, cw: ControlWords, now: float) -> list[Action]:
        """A source gave the CW of the period before: believe it when another says the same."""
        flight, card = ask.flight, ask.card
        self._end_ask(ask, Event.REPEATED, now)
        for other, its_cw in flight.suspects.items():
            if its_cw == cw and other.source != card.source:
                return self._accept(flight, card, cw, now)
        flight.suspects[card] = cw
        return self._serve_all(flight, now)

    def _ask_refused(self, ask: PendingAsk, refusal: Refusal, now: float) -> list[Action]:
        self._chooser.pauses.start(ask.card, ask.flight.service, refusal, now)
        return self._move_on(ask, refusal, now)

    def _move_on(self, ask: PendingAsk, refusal: Refusal, now: float) -> list[Action]:
        """An ask ended without a CW: others are asked, or those who waited are refused."""
        ask.flight.tried[ask.card] = refusal
        if refusal is Refusal.NOT_SENT and ask.abandoned:
            # It was our wish, so the card may be asked when somebody wants this ECM again.
            del ask.flight.tried[ask.card]
        return self._serve_all(ask.flight, now)

    def _tidy(self, flight: Flight) -> list[Action]:
        """Abandon what nobody waits for; close the flight when nothing is left."""
        actions: list[Action] = []
        if not flight.pending:
            if not flight.waiting:
                self._flights.pop(flight.key, None)
            return actions
        for ask in flight.pending.values():
            if not ask.abandoned and not flight.waiters_for(ask.card):
                ask.abandoned = True
                actions.append(Abandon(ask.ask_id))
        return actions
