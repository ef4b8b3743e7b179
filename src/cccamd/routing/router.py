"""Where an ECM goes: plain decisions, values in, actions out.

Theory of operation. Two clients that want the same ECM (the same fingerprint) share a *flight*.

    wanted      names what a client asks for. Whoever keeps the cache looks there first, and
                comes here when nothing is known that this client may have
    straight,   one card of our own fits that never lets wait, and nothing is to be decided: it
    taken       is asked right away, without a flight (routing/straight.py)
    request     No card fits: `Refuse`. Else the client *waits* in the flight of its ECM,
                and unless it may have the answer of an ask that is pending, the best card that
                it may see is asked: `Ask`
    answered,   the ask has ended, however late: `Settled`. A right CW goes to all in the flight
    refused,    who may see a card that gave it, and is kept: `Store`, `Deliver`. Else the next
    source_lost best card is asked for those who still wait; none is left: `Refuse`
    deadline    a waiter is refused 4.5 s after it asked, whatever is pending. An ask goes
                ON_TIME -> OVERDUE (another card may be asked as well: hedging, on a budget)
                -> STALLED (nobody counts on it) -> timed out after a crypto period
    waiter_gone an ask that nobody waits for any more is given up: `Abandon`

A flight ends when nobody waits and nothing is pending. Each waiter gets one `Deliver` or one
`Refuse`, each ask one `Settled` (none if it never went out). A CW that is zero or has wrong
checksums counts as a refusal; one that repeats the period before is *suspect*: it is believed
when a second source says the same, or when no other card is left to ask.

Why it decides as it does: docs/design/routing.md.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from cccamd.cards import Card, SourceId, View
from cccamd.ids import Sid
from cccamd.routing.actions import (
    Abandon,
    Action,
    Ask,
    AskId,
    BrokenOff,
    Deliver,
    Disproved,
    Prospect,
    Refuse,
    Settled,
    Store,
    Tidings,
    Told,
    Waiter,
    Wanted,
)
from cccamd.routing.choosing import Chooser, HedgeBudget, refusal_of
from cccamd.routing.condition import Condition
from cccamd.routing.flights import Flight, Grace, PendingAsk, Stage, Timers, Waiting
from cccamd.routing.health import (
    ASK_LIFETIME,
    UNKNOWN_USUAL,
    SourceHealth,
    SourceTraits,
    overdue_after,
    stalled_after,
)
from cccamd.routing.ranking import Priorities
from cccamd.routing.straight import StraightWay
from cccamd.routing.trace import Event, Log, Result, Trace
from cccamd.routing.verification import Verification, are_independent
from cccamd.values import (
    ControlWords,
    Fingerprint,
    Fingerprints,
    Outcome,
    Refusal,
    Request,
    Service,
)

_new = tuple.__new__  # half the price of calling the class, where one is made for every ECM
_ANSWERED: Final = Outcome.ANSWERED
_OUTCOMES = {
    Refusal.CANNOT_DECODE: Outcome.CANNOT_DECODE,
    Refusal.PASSING: Outcome.REFUSED,
    Refusal.NOT_SENT: Outcome.NOT_SENT,
    Refusal.LATE: Outcome.NO_ANSWER,
    Refusal.ASLEEP: Outcome.ASLEEP,
    Refusal.FAILED: Outcome.FAILED,
}
_UNHEARD = frozenset({Refusal.NOT_SENT, Refusal.LATE, Refusal.FAILED})
"""Ends of our own making: the source has said nothing."""
GIVEN_UP_LIMIT = 256
REOFFER_TIME = 0.25
"""Seconds in which a card that was withdrawn may be offered anew before anybody is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSettings:
    """Times are in seconds."""

    deadline: float = 4.5
    """A request is answered by then, with a CW or without: clients give up after 3 to 5."""
    check_checksums: bool = True
    """Whether a CW with wrong checksum bytes is a wrong CW."""
    hedge_share: float = 0.1
    """How many requests, at most, are asked of a second card only because the first is late."""


class Router:
    """Decides for each ECM which cards are asked and who gets the answer.

    Every method takes the time (seconds, monotonic) and returns what to do, in order. Each
    `Ask` must be reported as `answered`, `refused` or by `source_lost`, once, unless it takes
    longer than `ASK_LIFETIME`; what is reported of unknown asks is ignored.
    """

    def __init__(
        self,
        settings: RouterSettings | None = None,
        priorities: Priorities | None = None,
        *,
        fingerprint_key: bytes = b"",
    ) -> None:
        """`fingerprint_key`: up to 64 secret bytes under which ECMs are named."""
        settings = settings or RouterSettings()
        self._deadline = settings.deadline
        self._fingerprints = Fingerprints(fingerprint_key)
        self._verification = Verification(check_checksums=settings.check_checksums)
        self._budget = HedgeBudget(settings.hedge_share)
        self._chooser = Chooser(priorities or Priorities())
        self._straight = StraightWay(self._chooser, self._verification, self._budget)
        self._timers = Timers()
        self._flights: dict[Fingerprint, Flight] = {}
        self._asks: dict[AskId, PendingAsk] = {}
        self._given_up: OrderedDict[AskId, SourceHealth] = OrderedDict()
        """What timed out lately: its answer may still come."""
        self._ask_count = 0

    @property
    def priorities(self) -> Priorities:
        """What CCcam.prio says. May be replaced at any time."""
        return self._chooser.priorities

    @priorities.setter
    def priorities(self, priorities: Priorities) -> None:
        self._chooser.priorities = priorities

    def adopt(self, settings: RouterSettings) -> None:
        """Go by other settings from now on; requests that wait keep their deadline."""
        self._deadline = settings.deadline
        self._verification.check_checksums = settings.check_checksums
        self._budget.adopt(settings.hedge_share)

    def fingerprint_of(self, request: Request) -> Fingerprint:
        """The name of an ECM, the same for all requests that one answer serves."""
        return self._fingerprints.of(request)

    def source_ready(self, source: SourceId, traits: SourceTraits, now: float) -> None:
        """A source can be asked (again), or its traits have changed."""
        self._chooser.health.ready(source, traits, now)

    def source_renewed(self, source: SourceId) -> None:
        """Its cards have learnt something: what they refused before is worth asking again."""
        self._chooser.pauses.forget(source)

    def source_taught(self, source: SourceId, now: float) -> None:
        """An EMM went to one of its cards, or was acknowledged: it may have learnt something."""
        self._chooser.health.of(source).taught_at = now

    @property
    def is_idle(self) -> bool:
        """Whether no request waits for an answer."""
        return not self._flights

    def condition(self, source: SourceId, now: float) -> Condition:
        """How a source does right now."""
        return self._chooser.health.of(source).condition(now)

    def card_withdrawn(self, card: Card, now: float) -> list[Action]:
        """A card is there no more, while its source is.

        What it was asked goes to others at once. Where there are none it has a moment to be
        offered anew (servers renew their lists that way); then those who wait are refused.
        """
        if not self._flights:
            return []
        self._chooser.withdraw(card, now, deadline=self._deadline)
        actions: list[Action] = []
        if not self._chooser.health.of(card.source).load:
            return actions
        for ask in [ask for ask in self._asks.values() if ask.card == card]:
            ask.fresh, ask.withdrawn = False, True
            self._timers.set(now + REOFFER_TIME, Grace(ask))
            actions += self._guarded(ask.flight, partial(self._serve_all, ask.flight, now), now)
        return actions

    def card_offered(self, card: Card) -> None:
        """A card is there. If it was withdrawn a moment ago, what it was asked is still good."""
        if not self._chooser.withdrawn:
            return
        name = (card.source, card.share_id, card.caid)
        for ask in self._asks.values():
            old = ask.card
            if ask.withdrawn and (old.source, old.share_id, old.caid) == name:
                ask.withdrawn = False

    def source_lost(self, source: SourceId, now: float) -> list[Action]:
        """A source cannot be asked any more; what it was asked goes to others."""
        self._chooser.health.lost(source)
        self._chooser.pauses.forget(source)
        for flight in self._flights.values():  # it may be back before these requests end
            for waiting in flight.waiting.values():
                for card in waiting.candidates.cards:
                    if card.source == source:
                        self._chooser.withdraw(card, now, deadline=self._deadline)
        actions: list[Action] = []
        for ask in [ask for ask in self._asks.values() if ask.card.source == source]:
            actions += self._guarded(ask.flight, partial(self._lose, ask, now), now)
        return actions

    def _lose(self, ask: PendingAsk, now: float) -> list[Action]:
        if ask.done:  # its flight was broken off meanwhile
            return []
        lost = self._end_ask(ask, Outcome.LOST, now)
        return [lost, *self._move_on(ask, Refusal.PASSING, now)]

    def wanted(self, view: View, request: Request) -> Wanted:
        """What a client asks for, and what may serve it."""
        fingerprint = self._fingerprints.of(request)
        candidates = view.candidates(request)
        return _new(Wanted, (request, fingerprint, candidates, view.viewer.node_id, view))

    def straight(self, wanted: Wanted) -> Card | None:
        """The card to ask right away for what is not known; None: take `request`."""
        return None if wanted[1] in self._flights else self._straight.card(wanted)

    def taken(
        self, card: Card, wanted: Wanted, cw: ControlWords, asked_at: float, now: float
    ) -> tuple[Told, Settled] | None:
        """What a `straight` card said is a right CW, and to be kept; None: take `request`."""
        deadline = self._deadline
        told = self._straight.take(card, wanted, cw, asked_at=asked_at, now=now, deadline=deadline)
        if told is None:
            return None
        self._ask_count += 1
        ended = (AskId(self._ask_count), card.source, wanted[0], _ANSWERED, now - asked_at)
        return told, _new(Settled, ended)

    def request(self, waiter: Waiter, wanted: Wanted, now: float) -> list[Action]:
        """A client wants a CW that is not known. Its waiter, a new one for each request, gets
        exactly one `Deliver` or `Refuse`, now or later, unless it is `waiter_gone` before."""
        request, fingerprint, candidates, node_id, view = wanted
        flight = self._flights.get(fingerprint)
        actions = flight.loops(node_id) if flight else []
        if not candidates.cards:
            refusal = Refusal.PASSING if actions else candidates.refusal
            trace = Trace(request, fingerprint, now, now, Result.NO_CARD, None, [])
            return [*actions, Refuse(waiter, refusal, trace)]
        if flight is None:
            flight = self._flights[fingerprint] = Flight(fingerprint, request)
        elif request[3] != flight.service[2]:
            flight.also_for(request)
        waiting = Waiting(waiter, flight, request, candidates, view, now, now + self._deadline)
        flight.waiting[waiter] = waiting
        flight.leaving.clear()
        try:
            self._timers.set(waiting.deadline_at, waiting)
            actions += self._serve(waiting, now)
            return actions if flight.pending else actions + self._tidy(flight)
        except Exception as error:
            return actions + self._break_off(flight, error, now)

    def rights_changed(self, waiter: Waiter, wanted: Wanted, now: float) -> list[Action]:
        """A client may have more or less than when it asked, or all cards are judged anew: from
        now on its request goes by what it is `wanted` with now."""
        flight = self._flights.get(wanted.fingerprint)
        waiting = flight.waiting.get(waiter) if flight else None
        if flight is None or waiting is None:
            return []
        waiting.candidates, waiting.view = wanted.candidates, wanted.view
        return self._guarded(flight, partial(self._judge_anew, waiting, now), now)

    def _judge_anew(self, waiting: Waiting, now: float) -> list[Action]:
        if waiting.candidates.cards:
            return self._serve(waiting, now) + self._tidy(waiting.flight)
        self._end_waiting(waiting)
        trace = waiting.trace(now, Result.NO_CARD)
        refuse = Refuse(waiting.waiter, waiting.candidates.refusal, trace)
        return [refuse, *self._tidy(waiting.flight)]

    def vouches(self, told: Told) -> bool:
        """Whether what is kept may be told for a service that nobody had named for this ECM."""
        (request, fingerprint), card = told.wanted[:2], told.card
        service = Service(request.caid, request.ident, request.sid)
        if self._verification.vouches(service, fingerprint, told.cw):
            return True
        self._verification.doubt(fingerprint, card)
        return False

    def answered(self, ask_id: AskId, cw: ControlWords, now: float) -> list[Action]:
        """A source gave a CW. Late ones are welcome too."""
        ask = self._asks.get(ask_id)
        if ask is None:
            return self._heard_too_late(ask_id, now)
        ask.flight.leaving.clear()
        try:
            return self._answered(ask, cw, now)
        except Exception as error:
            return self._break_off(ask.flight, error, now)

    def _answered(self, ask: PendingAsk, cw: ControlWords, now: float) -> list[Action]:
        flight = ask.flight
        ask.health.heard(now)
        ask.health.count_answer(flight.service, now - ask.asked_at, now)
        flaw = self._verification.flaw(flight.service, flight.fingerprint, cw, flight.others)
        if flaw is Outcome.REPEATED and not ask.health.traits.constant:
            return [self._end_ask(ask, flaw, now), *self._suspect(ask, cw, now)]
        if flaw is Outcome.ZERO or flaw is Outcome.CHECKSUM:
            settled = self._end_ask(ask, flaw, now)
            return [settled, *self._ask_refused(ask, flaw, now)]
        settled = self._end_ask(ask, Outcome.ANSWERED, now)
        return [settled, *self._accept(flight, ask.card, cw, now)]

    def refused(self, ask_id: AskId, refusal: Refusal, now: float) -> list[Action]:
        """A source gave no CW."""
        ask = self._asks.get(ask_id)
        if ask is None:
            return [] if refusal in _UNHEARD else self._heard_too_late(ask_id, now)
        return self._guarded(ask.flight, lambda: self._refused(ask, refusal, now), now)

    def _refused(self, ask: PendingAsk, refusal: Refusal, now: float) -> list[Action]:
        outcome = _OUTCOMES[refusal]
        settled = self._end_ask(ask, outcome, now)
        if refusal is Refusal.NOT_SENT:
            # Nothing was heard of the source, so there is nothing to count either.
            return self._move_on(ask, refusal, now)
        if refusal is Refusal.LATE:  # the link gave it up: nothing was heard
            self._count_silence(ask, now)
            return [settled, *self._ask_refused(ask, outcome, now)]
        if refusal not in _UNHEARD:
            ask.health.heard(now)
        return [settled, *self._ask_refused(ask, outcome, now)]

    def prospect(self, ask_id: AskId) -> Prospect | None:
        """What is known of something that was to be asked; None: nobody wants it any more."""
        ask = self._asks.get(ask_id)
        if ask is None:
            return None
        flight, traits = ask.flight, ask.health.traits
        local = ask.card.local
        return Prospect(flight.fingerprint, flight.service, ask.usual, local, traits.immediate)

    def held(self, ask_id: AskId, now: float) -> None:
        """An ask does not go out yet: somebody else may be asking. It is nobody's fault, and has
        no time until it is `sent`."""
        if ask := self._asks.get(ask_id):
            ask.held = True
            ask.flight.log.append((now, Event.HELD, ask.card))

    def sent(self, ask_id: AskId, now: float) -> bool:
        """An ask that was held goes out now; False: nobody wants it any more."""
        ask = self._asks.get(ask_id)
        if ask is None or not ask.held:
            return False
        ask.held, ask.asked_at, ask.health.silence.asked_at = False, now, now
        ask.flight.log.append((now, Event.LET_GO, ask.card))
        self._timers.set(now + overdue_after(ask.usual), ask)
        return True

    def doubts(self, fingerprint: Fingerprint) -> bool:
        """Whether what is known of an ECM is only believed for want of something better."""
        return self._verification.doubts(fingerprint)

    def heard(self, tidings: Tidings, now: float) -> list[Action]:
        """Somebody else has got a CW, and tells it. It is looked at as any, and given to those who
        may see the card that gave it, and kept for them."""
        flight = self._flights.get(tidings.fingerprint)
        if flight is None:
            return self._heard(tidings, None, now)
        return self._guarded(flight, partial(self._heard, tidings, flight, now), now)

    def _heard(self, tidings: Tidings, flight: Flight | None, now: float) -> list[Action]:
        fingerprint, service, card, cw, corrects = tidings
        verification = self._verification
        flaw = verification.flaw(service, fingerprint, cw, flight.others if flight else ())
        traits = self._chooser.health.of(card.source).traits
        if flaw is Outcome.REPEATED and traits.constant:
            flaw = None
        if corrects and flaw is None:
            verification.takes_back(fingerprint, card)
        wrong = verification.disproved(fingerprint, cw, card) if flaw is None else card
        blamed: list[Action] = []
        if wrong is not None and flaw is not Outcome.REPEATED:
            caid, ident, sid = service
            blamed.append(Disproved(wrong, Request(caid, ident, wrong.share_id, sid, b"")))
        if wrong == card or verification.contradicts(fingerprint, cw, card):
            return blamed + self._disbelieve(flight, card, now)
        if flight is not None:
            for ask in flight.pending:
                if ask.card == card and not ask.held:
                    return blamed + self._answered(ask, cw, now)
            flight.log.append((now, Outcome.ANSWERED, card))
            return blamed + self._accept(flight, card, cw, now)
        corrects = verification.accept(service, fingerprint, cw, card)
        log: Log = [(now, Outcome.ANSWERED, card)]
        return [*blamed, Store(fingerprint, card, cw, log, (service.sid,), corrects, service)]

    def _disbelieve(self, flight: Flight | None, card: Card, now: float) -> list[Action]:
        """What was told is not taken: if the card was asked, that is no answer."""
        for ask in flight.pending if flight is not None else ():
            if ask.card == card and not ask.held:
                return self._refused(ask, Refusal.PASSING, now)
        return []

    def waiter_gone(self, waiter: Waiter, request: Request, now: float) -> list[Action]:
        """Nobody wants this answer any more: the client left."""
        flight = self._flights.get(self._fingerprints.of(request))
        waiting = flight.waiting.get(waiter) if flight else None
        if waiting is None:
            return []
        self._end_waiting(waiting)
        return self._guarded(waiting.flight, partial(self._tidy, waiting.flight), now)

    def next_deadline(self) -> float | None:
        """When to call `handle_deadline`; None: not before something else happens."""
        return self._timers.next_at()

    def handle_deadline(self, now: float) -> list[Action]:
        """Do what is due by now."""
        actions: list[Action] = []
        while subject := self._timers.pop(now):
            flight = subject.ask.flight if isinstance(subject, Grace) else subject.flight
            actions += self._guarded(flight, partial(self._do_due, subject, now), now)
        return actions

    def _do_due(self, subject: Waiting | PendingAsk | Grace, now: float) -> list[Action]:
        if isinstance(subject, Waiting):
            return self._give_up(subject, now) + self._tidy(subject.flight)
        if isinstance(subject, Grace):
            return self._withdraw(subject.ask, now)
        if subject.stage is Stage.ON_TIME:
            if subject.held or now < subject.asked_at + overdue_after(subject.usual):
                return []  # its time begins, or began anew, when it is sent
            return self._overdue(subject, now)
        if subject.stage is Stage.OVERDUE:
            return self._stalled(subject, now)
        return self._timed_out(subject, now)

    # When something is wrong with us.

    def _guarded(
        self, flight: Flight, step: Callable[[], list[Action]], now: float
    ) -> list[Action]:
        """Do something for a flight; an error of ours ends this one at once, and no other."""
        flight.leaving.clear()
        try:
            return step()
        except Exception as error:
            return self._break_off(flight, error, now)

    def _break_off(self, flight: Flight, error: Exception, now: float) -> list[Action]:
        """End a flight in which something has raised, in whatever state it is."""
        actions: list[Action] = [BrokenOff(error)]
        self._flights.pop(flight.fingerprint, None)
        for ask in flight.pending:
            ask.done = True
            ask.health.load -= 1
            self._asks.pop(ask.ask_id, None)
            actions.append(Abandon(ask.ask_id, ask.card.source))
        flight.pending.clear()
        for waiting in (*flight.leaving, *flight.waiting.values()):
            waiting.done = True
            trace = waiting.trace(now, Result.BROKEN_OFF)
            actions.append(Refuse(waiting.waiter, Refusal.PASSING, trace))
        flight.waiting.clear()
        return actions

    # What a waiter gets.

    def _serve(self, waiting: Waiting, now: float) -> list[Action]:
        """See to it that a waiter has something to wait for, or is answered."""
        flight = waiting.flight
        pending = flight.pending_for(waiting) if flight.pending else ()
        for ask in pending:
            if ask.fresh:
                return []
        card = self._chooser.best(waiting, now)
        if card:
            actions: list[Action] = [self._ask(flight, card, Event.ASKED, now)]
            if self._chooser.health.doubted and (other := self._chooser.in_doubt(waiting, now)):
                actions.append(self._ask(flight, other, Event.TRIED, now))
            return actions
        return [] if any(not ask.forgone for ask in pending) else self._give_up(waiting, now)

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
            if card in waiting.candidates.members and not self._contradicted(flight, card, cw):
                return self._believe(waiting, card, cw, now)
        result = self._chooser.explain_none(waiting, now)
        if any(not ask.forgone for ask in flight.pending_for(waiting)):
            result = Result.DEADLINE
        self._end_waiting(waiting)
        trace = waiting.trace(now, result)
        return [Refuse(waiting.waiter, self._chooser.refusal(waiting), trace)]

    def _end_waiting(self, waiting: Waiting) -> None:
        waiting.done = True
        del waiting.flight.waiting[waiting.waiter]
        waiting.flight.leaving.append(waiting)

    # What is asked.

    def _ask(self, flight: Flight, card: Card, event: Event, now: float) -> Ask:
        health = self._chooser.health.of(card.source)
        known = health.usual(flight.service, now)
        usual = (UNKNOWN_USUAL if known is None else known) * health.turns
        self._ask_count += 1
        ask = PendingAsk(AskId(self._ask_count), flight, card, health, now, usual)
        self._asks[ask.ask_id] = ask
        flight.pending.append(ask)
        flight.tried[card] = None
        flight.log.append((now, event, card))
        health.load += 1
        health.silence.asked_at = now
        if event is Event.ASKED:
            self._budget.save()
        self._timers.set(now + overdue_after(usual), ask)
        caid, ident, _, sid, section = flight.request
        request = _new(Request, (caid, ident, card.share_id, sid, section))
        return _new(Ask, (ask.ask_id, card.source, card, request))

    def _end_ask(self, ask: PendingAsk, outcome: Outcome, now: float) -> Settled:
        flight = ask.flight
        ask.done = True
        del self._asks[ask.ask_id]
        flight.pending.remove(ask)
        flight.log.append((now, outcome, ask.card))
        ask.health.load -= 1
        seconds = now - ask.asked_at
        if outcome is not Outcome.NOT_SENT:
            ask.health.minute.count(outcome, seconds, self._deadline, now)
        return _new(Settled, (ask.ask_id, ask.card.source, flight.request, outcome, seconds))

    def _overdue(self, ask: PendingAsk, now: float) -> list[Action]:
        """An answer is later than usual: ask another card as well, if the budget allows."""
        ask.health.late_since = max(ask.health.late_since, ask.asked_at)
        ask.flight.log.append((now, Event.OVERDUE, ask.card))
        ask.stage = Stage.OVERDUE
        self._timers.set(ask.asked_at + stalled_after(ask.usual, self._deadline), ask)
        for waiting in ask.flight.waiters_for(ask.card):
            card = self._chooser.better(waiting, now)
            if card and self._budget.spend():
                ask.fresh = False
                return [self._ask(ask.flight, card, Event.ASKED_ALSO, now)]
        return []

    def _stalled(self, ask: PendingAsk, now: float) -> list[Action]:
        """An answer is so late that nobody counts on it any more."""
        ask.fresh, ask.stage = False, Stage.STALLED
        if not ask.withdrawn:
            self._chooser.health.doubt(ask.card.source, ask.asked_at)
        if ask.health.is_late(now):
            self._chooser.health.stalled(ask.card.source, now)
        self._timers.set(ask.asked_at + ASK_LIFETIME, ask)
        return self._serve_all(ask.flight, now)

    def _timed_out(self, ask: PendingAsk, now: float) -> list[Action]:
        self._count_silence(ask, now)
        self._given_up[ask.ask_id] = ask.health
        if len(self._given_up) > GIVEN_UP_LIMIT:
            self._given_up.popitem(last=False)
        outcome = Outcome.WITHDRAWN if ask.withdrawn else Outcome.NO_ANSWER
        actions = [self._end_ask(ask, outcome, now), *self._ask_refused(ask, outcome, now)]
        return actions if ask.abandoned else [*actions, Abandon(ask.ask_id, ask.card.source)]

    # What becomes of an ask.

    def _heard_too_late(self, ask_id: AskId, now: float) -> list[Action]:
        """What was given up has been answered after all: its source is not silent any more."""
        health = self._given_up.pop(ask_id, None)
        if health is not None:
            health.heard(now)
        return []

    def _count_silence(self, ask: PendingAsk, now: float) -> None:
        if not ask.withdrawn:
            ask.health.count_silence(ask.flight.service, now - ask.asked_at, now)

    def _withdraw(self, ask: PendingAsk, now: float) -> list[Action]:
        """A card was withdrawn and not offered anew: nobody waits for it."""
        ask.flight.tried[ask.card] = Refusal.PASSING
        ask.forgone = True
        ask.flight.log.append((now, Outcome.WITHDRAWN, ask.card))
        return self._serve_all(ask.flight, now)

    def _accept(self, flight: Flight, card: Card, cw: ControlWords, now: float) -> list[Action]:
        """Take a CW for right: keep it, and give it to all who may see a card that gave it."""
        wrong = self._verification.disproved(flight.fingerprint, cw, card)
        corrects = self._verification.accept(
            flight.service, flight.fingerprint, cw, card, others=flight.others
        )
        actions = self._credit(flight, card, cw, now, corrects=corrects)
        if wrong is not None:
            actions.append(Disproved(wrong, flight.request))
        if flight.suspects:
            for suspect in self._settle_suspects(flight, cw, now):
                actions += self._credit(flight, suspect, cw, now)
        return actions + self._tidy(flight)

    def _settle_suspects(self, flight: Flight, cw: ControlWords, now: float) -> list[Card]:
        """Those who said the same were right; the others told an old CW."""
        right = [suspect for suspect, its_cw in flight.suspects.items() if its_cw == cw]
        for suspect in flight.suspects:
            if suspect not in right:
                self._chooser.pauses.start(suspect, flight.subject, Outcome.REPEATED, now)
        flight.suspects.clear()
        return right

    def _store(self, flight: Flight, card: Card, cw: ControlWords, *, corrects: bool) -> Store:
        """Keep the CW as told by a card."""
        self._chooser.pauses.end(card, flight.subject)
        sids: tuple[Sid, ...] = (flight.service[2],)
        if flight.others:
            sids += tuple(service.sid for service in flight.others)
        return _new(
            Store, (flight.fingerprint, card, cw, flight.log, sids, corrects, flight.service)
        )

    def _credit(
        self, flight: Flight, card: Card, cw: ControlWords, now: float, *, corrects: bool = False
    ) -> list[Action]:
        """Keep the CW, and give it to those who may see the card that gave it."""
        actions: list[Action] = [self._store(flight, card, cw, corrects=corrects)]
        for waiting in flight.entitled_to(card):
            self._end_waiting(waiting)
            trace = waiting.trace(now, Result.ANSWERED, card)
            actions.append(_new(Deliver, (waiting.waiter, cw, trace)))
        return actions

    def _suspect(self, ask: PendingAsk, cw: ControlWords, now: float) -> list[Action]:
        """A source gave the CW of the period before: believe it when another says the same."""
        flight, card = ask.flight, ask.card
        if self._contradicted(flight, card, cw):
            return self._ask_refused(ask, Outcome.REPEATED, now)
        for other, its_cw in flight.suspects.items():
            if its_cw == cw and are_independent(card, other):
                return self._accept(flight, card, cw, now)
        flight.suspects[card] = cw
        return self._serve_all(flight, now)

    def _contradicted(self, flight: Flight, card: Card, suspect: ControlWords) -> bool:
        """Whether another source, whoever may see it, has said another CW than a suspect one."""
        return self._verification.contradicts(flight.fingerprint, suspect, card)

    def _believe(self, waiting: Waiting, card: Card, cw: ControlWords, now: float) -> list[Action]:
        """Give a suspect CW to one who has nothing better to wait for; others may have."""
        flight = waiting.flight
        self._verification.accept(
            flight.service, flight.fingerprint, cw, card, others=flight.others, doubtful=True
        )
        self._end_waiting(waiting)
        trace = waiting.trace(now, Result.ANSWERED, card)
        store = self._store(flight, card, cw, corrects=False)
        return [store, Deliver(waiting.waiter, cw, trace)]

    def _ask_refused(self, ask: PendingAsk, outcome: Outcome, now: float) -> list[Action]:
        self._chooser.pauses.start(
            ask.card, ask.flight.subject, outcome, now, asked_at=ask.asked_at
        )
        return self._move_on(ask, refusal_of(outcome), now)

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
                self._flights.pop(flight.fingerprint, None)
                if self._chooser.withdrawn and not self._flights:
                    self._chooser.withdrawn.clear()
            return actions
        for ask in flight.pending:
            if not ask.abandoned and not flight.waiters_for(ask.card):
                ask.abandoned = True
                actions.append(Abandon(ask.ask_id, ask.card.source))
        return actions
