"""Carries out what the router decides: asks sources, answers clients, keeps cache and timer.

The path of an ECM: `Session` -> `Exchange.request` (knows it already, or may ask a card of our own
straight away, or:) -> `Router` (decides) -> a `Source` (a local card or an upstream link) ->
`Exchange.answered` or `refused` -> `Router` -> the `Recipient` (the session). What it is called on
its way: the client's token at the session, one `AskId` from the router through link and protocol
and back.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Final, Protocol, assert_never

from cccamd.cards import Card, SourceId, View
from cccamd.facts import EcmResult
from cccamd.ids import NodeId
from cccamd.net import Alarm
from cccamd.routing import (
    Abandon,
    Action,
    Ask,
    AskId,
    BrokenOff,
    ClientId,
    CwCache,
    Deliver,
    Disproved,
    LoopDetected,
    LoopSeen,
    Prospect,
    Refuse,
    Router,
    Settled,
    SourceTraits,
    Store,
    Tidings,
    Told,
    Trace,
    Waiter,
    Wanted,
)
from cccamd.server.observers import Observers
from cccamd.server.usage import SourceUsage
from cccamd.values import ControlWords, Emm, Outcome, Refusal, Request, Service
from cccamd.watch import SourceAnswered, followed


class Recipient(Protocol):
    """Who gets answers: a client's session. It knows its requests by their tokens."""

    def deliver(self, token: int, cw: ControlWords, trace: Trace) -> None:
        """Answer a request with control words."""

    def refuse(self, token: int, refusal: Refusal, trace: Trace) -> None:
        """Answer a request that there are none."""


class Source(Protocol):
    """Where control words come from: a local card, or an upstream link."""

    local: ClassVar[bool]
    """Whether it is a card of ours."""

    name: str
    """How logs and pages name it."""

    usage: SourceUsage

    def ask(self, ask: Ask) -> ControlWords | Refusal | None:
        """Send a request; None: its end will be reported to the exchange later."""

    def answer(self, request: Request) -> ControlWords | Refusal | None:
        """Answer a request at once; None, as always for an upstream: that can't be."""

    def forget(self, ask_id: AskId) -> bool:
        """Drop a request that has not gone out yet; whether there was one."""

    def send_emm(self, card: Card, emm: Emm) -> None:
        """Pass an EMM to one of its cards; nobody waits for the result."""


class Gate(Protocol):
    """What is between the router and the sources where several nodes share what they ask."""

    def ask(self, ask_id: AskId, prospect: Prospect) -> bool:
        """Something is to be asked. True: now; False: `Exchange.go` or `forget` will be called."""

    def forget(self, ask_id: AskId) -> bool:
        """Nobody wants it any more; whether it was still held."""

    def ended(self, ask_id: AskId) -> None:
        """What was asked, or held, has ended."""

    def stored(self, store: Store) -> None:
        """A CW was taken for right, and kept."""

    def disproved(self, disproved: Disproved) -> None:
        """A CW was shown to be wrong."""


_new = tuple.__new__  # half the price of calling the class, where one is made for every ECM
_ANSWERED: Final = Outcome.ANSWERED
_CW: Final = EcmResult.CW
LOOPS_KEPT: Final = 64


def result_of(answer: ControlWords | Refusal | Outcome) -> EcmResult:
    """How an answer is counted and shown: by the names that people know from CCcam.

    A wrong CW is none.
    """
    if answer is _ANSWERED or isinstance(answer, ControlWords):
        return _CW
    return EcmResult.NOK2 if answer in _CANNOT else EcmResult.NOK1


_CANNOT: Final = frozenset({Outcome.CANNOT_DECODE, Outcome.ZERO, Refusal.CANNOT_DECODE})


class Exchange:
    """The router with hands, a cache and a clock."""

    def __init__(
        self,
        router: Router,
        cache: CwCache,
        *,
        observers: Observers,
        on_loop: Callable[[LoopDetected], None],
        on_failure: Callable[[str, BaseException], None],
    ) -> None:
        self.router = router
        self.on_want: Callable[[], None] = lambda: None
        """Called when a client came, or was refused: a source that is away might be missed."""
        self.gate: Gate | None = None
        """None: this server is alone."""
        self._held: dict[AskId, Ask] = {}
        self._cache = cache
        self._observers = observers
        self._on_loop = on_loop
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._sources: dict[SourceId, Source] = {}
        self._clients: dict[ClientId, Recipient] = {}
        self._client_count = 0
        self._loops: OrderedDict[tuple[NodeId, str], LoopSeen] = OrderedDict()
        self._alarm = Alarm(self)

    def add_client(self, recipient: Recipient) -> ClientId:
        """Give a client the name under which it gets its answers."""
        self._client_count += 1
        client = ClientId(self._client_count)
        self._clients[client] = recipient
        self.on_want()
        return client

    def remove_client(self, client: ClientId, waiting: Mapping[int, Request]) -> None:
        """Nobody waits any more for these requests (by their tokens): the client left."""
        if self._clients.pop(client, None) is not None:
            for token, request in waiting.items():
                self.gone(Waiter(client, token), request)

    def add_source(self, source_id: SourceId, source: Source, traits: SourceTraits) -> None:
        """Let a source be asked from now on."""
        self._sources[source_id] = source
        self.router.source_ready(source_id, traits, self._loop.time())

    def withdraw_card(self, card: Card) -> None:
        """A card is gone, while its source is there: who waits for it gets another, or a NOK."""
        now = self._loop.time()
        self._perform(self.router.card_withdrawn(card, now), now)

    def offer_card(self, card: Card) -> None:
        """A card is there, perhaps again."""
        self.router.card_offered(card)

    def loops(self) -> tuple[LoopSeen, ...]:
        """The nodes through which requests of ours came back lately, the last one last."""
        return tuple(self._loops.values())

    def teach_source(self, source_id: SourceId) -> None:
        """An EMM went to a source, or was acknowledged there: it may have learnt something."""
        self.router.source_taught(source_id, self._loop.time())

    def renew_source(self, source_id: SourceId) -> None:
        """A source has learnt from an EMM."""
        self.router.source_renewed(source_id)

    def remove_source(self, source_id: SourceId) -> None:
        """Ask a source no more; what it was asked goes to others."""
        if source_id in self._sources:
            now = self._loop.time()
            self._perform(self.router.source_lost(source_id, now), now)
            self._observers.catch_up()  # what it has answered is counted while it has a name
            del self._sources[source_id]

    def forget_source(self, source_id: SourceId) -> None:
        """A source has left the configuration: nothing is to be kept of it."""
        self.remove_source(source_id)
        self.router.source_left(source_id, self._loop.time())

    def source_of(self, card: Card) -> tuple[str, bool] | None:
        """Name of a card's source, and whether it is local; None when it is gone."""
        source = self._sources.get(card.source)
        return None if source is None else (source.name, source.local)

    def request(self, waiter: Waiter, view: View, request: Request) -> Told | None:
        """Find control words for a client. What is known is the answer; else (None) its waiter is
        answered exactly once, now or later."""
        return self.seek(waiter, self.router.wanted(view, request))

    def seek(self, waiter: Waiter, wanted: Wanted) -> Told | None:
        """The same for one of whom it is known what may serve it."""
        now, request = self._loop.time(), wanted[0]
        told = self._cache.answer(wanted, now, self.router.vouches)
        if told is not None:
            return told
        said: ControlWords | Refusal | None = None
        card = self.router.straight(wanted)
        if card is not None:
            said = self._ask_straight(card, request)
            if isinstance(said, ControlWords):
                told = self._take_straight(card, wanted, said, now)
                if told is not None:
                    return told
        actions = self.router.request(waiter, wanted, now)
        if said is not None and isinstance(actions[0], Ask):  # nobody is asked twice
            actions[:1] = self._ended(actions[0].ask_id, said)
        self._perform(actions, now)
        return None

    def _ask_straight(self, card: Card, request: Request) -> ControlWords | Refusal | None:
        source = self._sources.get(card.source)
        if source is None:
            return None
        try:
            return source.answer(request)
        except Exception as error:
            self._on_failure(f"asking {source.name}", error)
            return Refusal.FAILED

    def _take_straight(
        self, card: Card, wanted: Wanted, cw: ControlWords, asked_at: float
    ) -> Told | None:
        now = self._loop.time()
        taken = self.router.taken(card, wanted, cw, asked_at, now)
        if taken is None:
            return None
        told, settled = taken
        sids = (wanted[0][3],)
        store = _new(Store, (wanted[1], card, cw, told.log, sids, False, None))
        self._cache.put(store, now)
        self._count(settled)
        if self.gate is not None:
            caid, ident, _, sid, _ = wanted[0]
            self.gate.stored(store._replace(service=Service(caid, ident, sid)))
        return told

    def known(self, view: View, request: Request) -> Told | None:
        """What the cache knows for a client that may see this now."""
        wanted = self.router.wanted(view, request)
        return self._cache.answer(wanted, self._loop.time(), self.router.vouches)

    def rights_changed(self, client: ClientId, view: View, waiting: Mapping[int, Request]) -> None:
        """A client may have more or less from now on; who may not have any card is refused."""
        now = self._loop.time()
        for token, request in list(waiting.items()):
            wanted = self.router.wanted(view, request)
            self._perform(self.router.rights_changed(Waiter(client, token), wanted, now), now)

    def answered(self, ask_id: AskId, cw: ControlWords) -> None:
        """A source has answered."""
        now = self._loop.time()
        self._perform(self.router.answered(ask_id, cw, now), now)

    def refused(self, ask_id: AskId, refusal: Refusal) -> None:
        """A source has no answer."""
        self._perform(self._refused(ask_id, refusal), self._loop.time())

    def go(self, ask_id: AskId) -> None:
        """What was held is asked now, if somebody still wants it."""
        ask, now = self._held.pop(ask_id, None), self._loop.time()
        if ask is not None and self.router.sent(ask_id, now):
            self._perform(list(self._ask_now(ask)), now)

    def heard(self, tidings: Tidings) -> None:
        """Another node tells a CW."""
        now = self._loop.time()
        self._perform(self.router.heard(tidings, now), now)

    def send_emm(self, card: Card, emm: Emm) -> None:
        """Pass an EMM to a card, if its source is there."""
        source = self._sources.get(card.source)
        if source is not None:
            source.send_emm(card, emm)
            if not source.local:  # a card of our own tells when it has really learnt
                self.teach_source(card.source)

    def gone(self, waiter: Waiter, request: Request) -> None:
        """Nobody waits for this any more."""
        now = self._loop.time()
        self._perform(self.router.waiter_gone(waiter, request, now), now)

    def _perform(self, actions: list[Action], now: float) -> None:
        """Carry out actions, and those that follow from them at once, in order."""
        for action in actions:  # which grows meanwhile
            try:
                actions += self._carry_out(action, now)
            except Exception as error:  # the others that wait are to get their answers
                self._on_failure("carrying out what the router decided", error)
        self._alarm.set(self.router.next_deadline())

    def _carry_out(self, action: Action, now: float) -> Iterable[Action]:
        # Taken apart by hand: patterns that do it cost twice as much, for every ECM.
        match action:
            case Ask():
                return self._ask(action)
            case Deliver():
                (client, token), cw, trace = action
                if recipient := self._clients.get(client):
                    recipient.deliver(token, cw, trace)
            case Store():
                self._cache.put(action, now)
                if self.gate is not None:
                    self.gate.stored(action)
            case Settled():
                self._count(action)
                if self.gate is not None:
                    self._held.pop(action.ask_id, None)
                    self.gate.ended(action.ask_id)
            case Refuse():
                (client, token), refusal, trace = action
                if recipient := self._clients.get(client):
                    recipient.refuse(token, refusal, trace)
                    self.on_want()
            case Abandon():
                return self._abandon(action.ask_id, action.source)
            case LoopDetected():
                self._note_loop(action)
            case Disproved():
                if self.gate is not None:
                    self.gate.disproved(action)
            case BrokenOff():
                self._on_failure("deciding where an ECM goes", action.error)
            case _:
                assert_never(action)
        return ()

    def _ask(self, ask: Ask) -> Iterable[Action]:
        if self.gate is not None and self._holds(self.gate, ask):
            return ()
        return self._ask_now(ask)

    def _holds(self, gate: Gate, ask: Ask) -> bool:
        """Whether something is not asked yet, because another node may be asking."""
        prospect = self.router.prospect(ask.ask_id)
        if prospect is None or gate.ask(ask.ask_id, prospect):
            return False
        self._held[ask.ask_id] = ask
        self.router.held(ask.ask_id, self._loop.time())
        return True

    def _ask_now(self, ask: Ask) -> Iterable[Action]:
        source = self._sources.get(ask.source)
        if source is None:
            return self.router.refused(ask.ask_id, Refusal.PASSING, self._loop.time())
        try:
            result = source.ask(ask)
        except Exception as error:
            self._on_failure(f"asking {source.name}", error)
            result = Refusal.FAILED
        return self._ended(ask.ask_id, result)

    def _ended(self, ask_id: AskId, result: ControlWords | Refusal | None) -> Iterable[Action]:
        """What follows from what a source said at once; None: it said nothing yet."""
        if result is None:
            return ()
        if isinstance(result, Refusal):
            return self._refused(ask_id, result)
        return self.router.answered(ask_id, result, self._loop.time())

    def _abandon(self, ask_id: AskId, source_id: SourceId) -> Iterable[Action]:
        if self.gate is not None and self.gate.forget(ask_id):
            self._held.pop(ask_id, None)
            return self._refused(ask_id, Refusal.NOT_SENT)
        if self.gate is not None and not self.router.awaits(ask_id):  # it was broken off
            self.gate.ended(ask_id)
        source = self._sources.get(source_id)
        if source is None or not source.forget(ask_id):
            return ()
        return self._refused(ask_id, Refusal.NOT_SENT)

    def _refused(self, ask_id: AskId, refusal: Refusal) -> list[Action]:
        """What follows from a refusal. What never went out is not `Settled`: the gate is told."""
        if self.gate is not None and refusal is Refusal.NOT_SENT:
            self.gate.ended(ask_id)
        return self.router.refused(ask_id, refusal, self._loop.time())

    def _count(self, settled: Settled) -> None:
        """Count an ask that has ended, and tell who wants to know: after its answer is written."""
        source = self._sources.get(settled.source)
        if source is not None:
            self._observers.later(self._book, source, settled, self._observers.now())

    def _book(self, source: Source, settled: Settled, at: float) -> None:
        request, outcome = settled.request, settled.outcome
        result = result_of(outcome)
        answered = result is _CW
        source.usage.finished(request, local=source.local, answered=answered)
        if weight := self._observers.weight(settled.ask_id):
            self._observers.pass_on(
                SourceAnswered(
                    at=at,
                    source=source.name,
                    caid=request.caid,
                    ident=request.ident,
                    sid=request.sid,
                    result=result,
                    outcome=outcome,
                    seconds=settled.seconds,
                    weight=weight,
                )
            )

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by so many seconds, and shows `now`."""
        for key, seen in self._loops.items():
            self._loops[key] = seen._replace(at=followed(seen.at, step, now))

    def _note_loop(self, loop: LoopDetected) -> None:
        source = self._sources.get(loop.source)
        name = source.name if source is not None else ""
        seen = LoopSeen(loop.node_id, name, self._observers.now())
        self._loops.pop((loop.node_id, name), None)
        if len(self._loops) >= LOOPS_KEPT:
            self._loops.popitem(last=False)
        self._loops[loop.node_id, name] = seen
        self._on_loop(loop)

    def ring(self) -> None:
        """Do what is due."""
        actions: list[Action] = []
        now = self._loop.time()
        try:
            actions = self.router.handle_deadline(now)
        except Exception as error:  # what is due later is still to be done
            self._on_failure("the router's timer", error)
        self._perform(actions, now)
