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

What follows from each of these, step by step: routing/course.py.
Why it decides as it does: docs/design/routing.md.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Final

from cccamd.cards import Card, SourceId, View
from cccamd.routing.actions import (
    Action,
    AskId,
    Prospect,
    Refuse,
    Settled,
    Tidings,
    Told,
    Waiter,
    Wanted,
)
from cccamd.routing.choosing import Chooser, HedgeBudget
from cccamd.routing.condition import Condition
from cccamd.routing.course import UNHEARD, Course
from cccamd.routing.flights import Flight, Grace, Timers, Waiting
from cccamd.routing.health import (
    SourceTraits,
    overdue_after,
)
from cccamd.routing.ranking import Priorities
from cccamd.routing.straight import StraightWay
from cccamd.routing.trace import Event, Result, Trace
from cccamd.routing.verification import Verification
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
        self._fingerprints = Fingerprints(fingerprint_key)
        self._verification = Verification(check_checksums=settings.check_checksums)
        self._budget = HedgeBudget(settings.hedge_share)
        self._chooser = Chooser(priorities or Priorities())
        self._straight = StraightWay(self._chooser, self._verification, self._budget)
        self._timers = Timers()
        self._course = Course(
            self._chooser,
            self._verification,
            self._budget,
            self._timers,
            deadline=settings.deadline,
        )
        self._flights, self._asks = self._course.flights, self._course.asks

    @property
    def priorities(self) -> Priorities:
        """What CCcam.prio says. May be replaced at any time."""
        return self._chooser.priorities

    @priorities.setter
    def priorities(self, priorities: Priorities) -> None:
        self._chooser.priorities = priorities

    def adopt(self, settings: RouterSettings) -> None:
        """Go by other settings from now on; requests that wait keep their deadline."""
        self._course.deadline = settings.deadline
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
        self._chooser.withdraw(card, now, deadline=self._course.deadline)
        actions: list[Action] = []
        if not self._chooser.health.of(card.source).load:
            return actions
        for ask in [ask for ask in self._asks.values() if ask.card == card]:
            ask.fresh, ask.withdrawn = False, True
            self._timers.set(now + REOFFER_TIME, Grace(ask))
            actions += self._course.guarded(
                ask.flight, partial(self._course.serve_all, ask.flight, now), now
            )
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
                        self._chooser.withdraw(card, now, deadline=self._course.deadline)
        actions: list[Action] = []
        for ask in [ask for ask in self._asks.values() if ask.card.source == source]:
            actions += self._course.guarded(ask.flight, partial(self._course.lose, ask, now), now)
        return actions

    def source_left(self, source: SourceId, now: float) -> None:
        """A source that was lost, if it was ever there, has left the configuration."""
        self._chooser.health.leave(source, now)

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
        deadline = self._course.deadline
        told = self._straight.take(card, wanted, cw, asked_at=asked_at, now=now, deadline=deadline)
        if told is None:
            return None
        self._course.ask_count += 1
        ended = (AskId(self._course.ask_count), card.source, wanted[0], _ANSWERED, now - asked_at)
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
        waiting = Waiting(
            waiter, flight, request, candidates, view, now, now + self._course.deadline
        )
        flight.waiting[waiter] = waiting
        flight.leaving.clear()
        try:
            self._timers.set(waiting.deadline_at, waiting)
            actions += self._course.serve(waiting, now)
            return actions if flight.pending else actions + self._course.tidy(flight)
        except Exception as error:
            return actions + self._course.break_off(flight, error, now)

    def rights_changed(self, waiter: Waiter, wanted: Wanted, now: float) -> list[Action]:
        """A client may have more or less than when it asked, or all cards are judged anew: from
        now on its request goes by what it is `wanted` with now."""
        flight = self._flights.get(wanted.fingerprint)
        waiting = flight.waiting.get(waiter) if flight else None
        if flight is None or waiting is None:
            return []
        waiting.candidates, waiting.view = wanted.candidates, wanted.view
        return self._course.guarded(flight, partial(self._course.judge_anew, waiting, now), now)

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
            return self._course.heard_too_late(ask_id, now)
        ask.flight.leaving.clear()
        try:
            return self._course.answered(ask, cw, now)
        except Exception as error:
            return self._course.break_off(ask.flight, error, now, ask)

    def refused(self, ask_id: AskId, refusal: Refusal, now: float) -> list[Action]:
        """A source gave no CW."""
        ask = self._asks.get(ask_id)
        if ask is None:
            return [] if refusal in UNHEARD else self._course.heard_too_late(ask_id, now)
        return self._course.guarded(
            ask.flight, lambda: self._course.refused(ask, refusal, now), now, ask
        )

    def awaits(self, ask_id: AskId) -> bool:
        """Whether what was asked has not ended."""
        return ask_id in self._asks

    def asks_of(self, fingerprint: Fingerprint, cards: Collection[Card]) -> list[AskId]:
        """What is asked of these cards for an ECM, or held, and has not ended."""
        flight = self._flights.get(fingerprint)
        if flight is None:
            return []
        return [ask.ask_id for ask in flight.pending if ask.card in cards]

    def prospect(self, ask_id: AskId) -> Prospect | None:
        """What is known of something that was to be asked; None: nobody wants it any more."""
        ask = self._asks.get(ask_id)
        if ask is None:
            return None
        flight, card, immediate = ask.flight, ask.card, ask.health.traits.immediate
        return Prospect(
            flight.fingerprint, flight.service, ask.usual, card.local, immediate, card.source
        )

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
            return self._course.heard(tidings, None, now)
        return self._course.guarded(flight, partial(self._course.heard, tidings, flight, now), now)

    def waiter_gone(self, waiter: Waiter, request: Request, now: float) -> list[Action]:
        """Nobody wants this answer any more: the client left."""
        flight = self._flights.get(self._fingerprints.of(request))
        waiting = flight.waiting.get(waiter) if flight else None
        if waiting is None:
            return []
        self._course.end_waiting(waiting)
        return self._course.guarded(waiting.flight, partial(self._course.tidy, waiting.flight), now)

    def next_deadline(self) -> float | None:
        """When to call `handle_deadline`; None: not before something else happens."""
        return self._timers.next_at()

    def handle_deadline(self, now: float) -> list[Action]:
        """Do what is due by now."""
        actions: list[Action] = []
        while subject := self._timers.pop(now):
            flight = subject.ask.flight if isinstance(subject, Grace) else subject.flight
            actions += self._course.guarded(flight, partial(self._course.do_due, subject, now), now)
        return actions
