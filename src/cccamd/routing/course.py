"""What becomes of an ECM's flight, step by step: whom it asks, whom it serves, when it ends.

Theory of operation. Each step ends in one of four ways, and does what follows from it before it
returns:

    serve       a waiter has an ask to wait for, or gets one, or is refused (`_give_up`)
    _accept     a CW is taken for right: kept, and given to all who may have it (`_credit`)
    _move_on    an ask ended without: `serve_all` who still wait
    tidy        nobody waits for an ask: it is abandoned. Nothing is left: the flight is closed

`_suspect` puts off the choice between the second and the third until another source has spoken.
A step runs `guarded`: an error of ours ends its flight, and no other.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from cccamd.cards import Card
from cccamd.ids import Sid
from cccamd.routing.actions import (
    Abandon,
    Action,
    Ask,
    AskId,
    BrokenOff,
    Deliver,
    Disproved,
    Refuse,
    Settled,
    Store,
    Tidings,
)
from cccamd.routing.choosing import Chooser, HedgeBudget, refusal_of
from cccamd.routing.flights import Flight, Grace, PendingAsk, Stage, Timers, Waiting
from cccamd.routing.health import (
    ASK_LIFETIME,
    UNKNOWN_USUAL,
    SourceHealth,
    overdue_after,
    stalled_after,
)
from cccamd.routing.trace import Event, Log, Result
from cccamd.routing.verification import Verification, are_independent
from cccamd.values import ControlWords, Fingerprint, Outcome, Refusal, Request

_new = tuple.__new__  # half the price of calling the class, where one is made for every ECM
_OUTCOMES: Final = {
    Refusal.CANNOT_DECODE: Outcome.CANNOT_DECODE,
    Refusal.PASSING: Outcome.REFUSED,
    Refusal.NOT_SENT: Outcome.NOT_SENT,
    Refusal.LATE: Outcome.NO_ANSWER,
    Refusal.ASLEEP: Outcome.ASLEEP,
    Refusal.FAILED: Outcome.FAILED,
}
UNHEARD = frozenset({Refusal.NOT_SENT, Refusal.LATE, Refusal.FAILED})
"""Ends of our own making: the source has said nothing."""
GIVEN_UP_LIMIT = 256


class Course:
    """The steps of all flights. Times are in seconds, monotonic; each returns what to do."""

    def __init__(
        self,
        chooser: Chooser,
        verification: Verification,
        budget: HedgeBudget,
        timers: Timers,
        *,
        deadline: float,
    ) -> None:
        """`deadline`: seconds within which a waiter is answered."""
        self.deadline = deadline
        self.flights: dict[Fingerprint, Flight] = {}
        self.asks: dict[AskId, PendingAsk] = {}
        """All that are pending."""
        self.ask_count = 0
        self._chooser = chooser
        self._verification = verification
        self._budget = budget
        self._timers = timers
        self._given_up: OrderedDict[AskId, SourceHealth] = OrderedDict()
        """What timed out lately: its answer may still come."""

    def lose(self, ask: PendingAsk, now: float) -> list[Action]:
        if ask.done:  # its flight was broken off meanwhile
            return []
        lost = self._end_ask(ask, Outcome.LOST, now)
        return [lost, *self._move_on(ask, Refusal.PASSING, now)]

    def judge_anew(self, waiting: Waiting, now: float) -> list[Action]:
        if waiting.candidates.cards:
            return self.serve(waiting, now) + self.tidy(waiting.flight)
        self.end_waiting(waiting)
        trace = waiting.trace(now, Result.NO_CARD)
        refuse = Refuse(waiting.waiter, waiting.candidates.refusal, trace)
        return [refuse, *self.tidy(waiting.flight)]

    def answered(self, ask: PendingAsk, cw: ControlWords, now: float) -> list[Action]:
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

    def refused(self, ask: PendingAsk, refusal: Refusal, now: float) -> list[Action]:
        outcome = _OUTCOMES[refusal]
        settled = self._end_ask(ask, outcome, now)
        if refusal is Refusal.NOT_SENT:
            # Nothing was heard of the source, so there is nothing to count either.
            return self._move_on(ask, refusal, now)
        if refusal is Refusal.LATE:  # the link gave it up: nothing was heard
            self._count_silence(ask, now)
            return [settled, *self._ask_refused(ask, outcome, now)]
        if refusal not in UNHEARD:
            ask.health.heard(now)
        return [settled, *self._ask_refused(ask, outcome, now)]

    def heard(self, tidings: Tidings, flight: Flight | None, now: float) -> list[Action]:
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
        self._chooser.health.of(card.source).heard(now)  # whether or not it was asked
        if flight is not None:
            for ask in flight.pending:
                if ask.card == card and not ask.held:
                    return blamed + self.answered(ask, cw, now)
            flight.log.append((now, Outcome.ANSWERED, card))
            return blamed + self._accept(flight, card, cw, now)
        corrects = verification.accept(service, fingerprint, cw, card)
        log: Log = [(now, Outcome.ANSWERED, card)]
        return [*blamed, Store(fingerprint, card, cw, log, (service.sid,), corrects, service)]

    def _disbelieve(self, flight: Flight | None, card: Card, now: float) -> list[Action]:
        """What was told is not taken: if the card was asked, that is no answer."""
        for ask in flight.pending if flight is not None else ():
            if ask.card == card and not ask.held:
                return self.refused(ask, Refusal.PASSING, now)
        return []

    def do_due(self, subject: Waiting | PendingAsk | Grace, now: float) -> list[Action]:
        if isinstance(subject, Waiting):
            return self._give_up(subject, now) + self.tidy(subject.flight)
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

    def guarded(
        self,
        flight: Flight,
        step: Callable[[], list[Action]],
        now: float,
        ending: PendingAsk | None = None,
    ) -> list[Action]:
        """Do something for a flight, perhaps because an ask is ending; an error of ours ends this
        one at once, and no other."""
        flight.leaving.clear()
        try:
            return step()
        except Exception as error:
            return self.break_off(flight, error, now, ending)

    def break_off(
        self, flight: Flight, error: Exception, now: float, ending: PendingAsk | None = None
    ) -> list[Action]:
        """End a flight in which something has raised, in whatever state it is."""
        actions: list[Action] = [BrokenOff(error)]
        if ending is not None and ending.done:  # and whoever was to be told was not
            actions.append(Abandon(ending.ask_id, ending.card.source))
        self.flights.pop(flight.fingerprint, None)
        for ask in flight.pending:
            ask.done = True
            ask.health.load -= 1
            self.asks.pop(ask.ask_id, None)
            actions.append(Abandon(ask.ask_id, ask.card.source))
        flight.pending.clear()
        for waiting in (*flight.leaving, *flight.waiting.values()):
            waiting.done = True
            trace = waiting.trace(now, Result.BROKEN_OFF)
            actions.append(Refuse(waiting.waiter, Refusal.PASSING, trace))
        flight.waiting.clear()
        flight.leaving.clear()
        return actions

    # What a waiter gets.

    def serve(self, waiting: Waiting, now: float) -> list[Action]:
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

    def serve_all(self, flight: Flight, now: float) -> list[Action]:
        actions: list[Action] = []
        for waiting in list(flight.waiting.values()):
            if not waiting.done:
                actions += self.serve(waiting, now)
        return actions + self.tidy(flight)

    def _give_up(self, waiting: Waiting, now: float) -> list[Action]:
        """Refuse a waiter, unless a suspect CW is all there is: then it is probably right."""
        flight = waiting.flight
        for card, cw in flight.suspects.items():
            if card in waiting.candidates.members and not self._contradicted(flight, card, cw):
                return self._believe(waiting, card, cw, now)
        result = self._chooser.explain_none(waiting, now)
        if any(not ask.forgone for ask in flight.pending_for(waiting)):
            result = Result.DEADLINE
        self.end_waiting(waiting)
        trace = waiting.trace(now, result)
        return [Refuse(waiting.waiter, self._chooser.refusal(waiting), trace)]

    def end_waiting(self, waiting: Waiting) -> None:
        waiting.done = True
        del waiting.flight.waiting[waiting.waiter]
        waiting.flight.leaving.append(waiting)

    # What is asked.

    def _ask(self, flight: Flight, card: Card, event: Event, now: float) -> Ask:
        health = self._chooser.health.of(card.source)
        known = health.usual(flight.service, now)
        usual = (UNKNOWN_USUAL if known is None else known) * health.turns
        self.ask_count += 1
        ask = PendingAsk(AskId(self.ask_count), flight, card, health, now, usual)
        self.asks[ask.ask_id] = ask
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
        del self.asks[ask.ask_id]
        flight.pending.remove(ask)
        flight.log.append((now, outcome, ask.card))
        ask.health.load -= 1
        seconds = now - ask.asked_at
        if outcome is not Outcome.NOT_SENT:
            ask.health.minute.count(outcome, seconds, self.deadline, now)
        return _new(Settled, (ask.ask_id, ask.card.source, flight.request, outcome, seconds))

    def _overdue(self, ask: PendingAsk, now: float) -> list[Action]:
        """An answer is later than usual: ask another card as well, if the budget allows."""
        ask.health.late_since = max(ask.health.late_since, ask.asked_at)
        ask.flight.log.append((now, Event.OVERDUE, ask.card))
        ask.stage = Stage.OVERDUE
        self._timers.set(ask.asked_at + stalled_after(ask.usual, self.deadline), ask)
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
        return self.serve_all(ask.flight, now)

    def _timed_out(self, ask: PendingAsk, now: float) -> list[Action]:
        self._count_silence(ask, now)
        self._given_up[ask.ask_id] = ask.health
        if len(self._given_up) > GIVEN_UP_LIMIT:
            self._given_up.popitem(last=False)
        outcome = Outcome.WITHDRAWN if ask.withdrawn else Outcome.NO_ANSWER
        actions = [self._end_ask(ask, outcome, now), *self._ask_refused(ask, outcome, now)]
        return actions if ask.abandoned else [*actions, Abandon(ask.ask_id, ask.card.source)]

    # What becomes of an ask.

    def heard_too_late(self, ask_id: AskId, now: float) -> list[Action]:
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
        return self.serve_all(ask.flight, now)

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
        return actions + self.tidy(flight)

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
            self.end_waiting(waiting)
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
        return self.serve_all(flight, now)

    def _contradicted(self, flight: Flight, card: Card, suspect: ControlWords) -> bool:
        """Whether another source, whoever may see it, has said another CW than a suspect one."""
        return self._verification.contradicts(flight.fingerprint, suspect, card)

    def _believe(self, waiting: Waiting, card: Card, cw: ControlWords, now: float) -> list[Action]:
        """Give a suspect CW to one who has nothing better to wait for; others may have."""
        flight = waiting.flight
        self._verification.accept(
            flight.service, flight.fingerprint, cw, card, others=flight.others, doubtful=True
        )
        self.end_waiting(waiting)
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
        return self.serve_all(ask.flight, now)

    def tidy(self, flight: Flight) -> list[Action]:
        """Abandon what nobody waits for; close the flight when nothing is left."""
        actions: list[Action] = []
        if not flight.pending:
            if not flight.waiting:
                self.flights.pop(flight.fingerprint, None)
                flight.leaving.clear()  # they hold the flight
                if self._chooser.withdrawn and not self.flights:
                    self._chooser.withdrawn.clear()
            return actions
        for ask in flight.pending:
            if not ask.abandoned and not flight.waiters_for(ask.card):
                ask.abandoned = True
                actions.append(Abandon(ask.ask_id, ask.card.source))
        return actions
