"""Carries out what the router decides: asks sources, answers clients, keeps its timer.

The path of an ECM: `Session` -> `Exchange.request` -> `Router` (decides) -> a `Source`
(a local card or an upstream link) -> `Exchange.answered` or `refused` -> `Router` ->
`ClientRequest.deliver` or `refuse` -> `Session`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import ClassVar, NamedTuple

from cccamd.cards import Card, SourceId, View
from cccamd.facts import EcmResult
from cccamd.net import Alarm
from cccamd.routing import (
    Abandon,
    Action,
    Ask,
    AskId,
    Deliver,
    LoopDetected,
    Refusal,
    Refuse,
    Router,
    SourceTraits,
    Trace,
)
from cccamd.server.observers import Observers
from cccamd.server.usage import SourceUsage
from cccamd.watch import SourceAnswered
from cccamd.wire.cccam import ControlWords, EcmRequest, Emm, Nok


class ClientRequest(ABC):
    """One request of one client, on its way; named by its identity."""

    __slots__ = ()

    @abstractmethod
    def deliver(self, cw: ControlWords, trace: Trace) -> None:
        """Answer it with control words."""

    @abstractmethod
    def refuse(self, nok: Nok, trace: Trace) -> None:
        """Answer that there are none."""


class Source(ABC):
    """Where control words come from: a local card, or an upstream link."""

    local: ClassVar[bool]
    """Whether it is a card of ours."""

    def __init__(self, name: str) -> None:
        self.name = name
        """How logs and pages name it."""
        self.usage = SourceUsage()

    @abstractmethod
    def ask(self, ask: Ask) -> ControlWords | Refusal | None:
        """Send a request; None: its end will be reported to the exchange later."""

    @abstractmethod
    def forget(self, ask_id: AskId) -> bool:
        """Drop a request that has not gone out yet; whether there was one."""

    @abstractmethod
    def send_emm(self, card: Card, emm: Emm) -> None:
        """Pass an EMM to one of its cards; nobody waits for the result."""


class _Asked(NamedTuple):
    by: SourceId
    source: Source
    request: EcmRequest
    at: float


_RESULTS = {
    Refusal.PASSING: EcmResult.NOK1,
    Refusal.NOT_SENT: EcmResult.NOK1,
    Refusal.NOT_DECODED: EcmResult.NOK2,
}


class Exchange:
    """The router with hands and a clock."""

    def __init__(
        self,
        router: Router,
        *,
        observers: Observers,
        on_loop: Callable[[LoopDetected], None],
        on_failure: Callable[[str, BaseException], None],
    ) -> None:
        self.router = router
        self._observers = observers
        self._on_loop = on_loop
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._sources: dict[SourceId, Source] = {}
        self._asked: dict[AskId, _Asked] = {}
        self._alarm = Alarm(self._on_alarm)

    def add_source(self, source_id: SourceId, source: Source, traits: SourceTraits) -> None:
        """Let a source be asked from now on."""
        self._sources[source_id] = source
        self.router.source_ready(source_id, traits, self._loop.time())

    def renew_source(self, source_id: SourceId) -> None:
        """A source has learnt from an EMM."""
        self.router.source_renewed(source_id)

    def remove_source(self, source_id: SourceId) -> None:
        """Ask a source no more; what it was asked goes to others."""
        if self._sources.pop(source_id, None) is None:
            return
        for ask_id in [ask_id for ask_id, asked in self._asked.items() if asked.by == source_id]:
            self._ended(ask_id, EcmResult.NOK1)
        self._perform(self.router.source_lost(source_id, self._loop.time()))

    def source_of(self, card: Card) -> tuple[str, bool] | None:
        """Name of a card's source, and whether it is local; None when it is gone."""
        source = self._sources.get(card.source)
        return None if source is None else (source.name, source.local)

    def request(self, waiter: ClientRequest, view: View, request: EcmRequest) -> None:
        """Find control words for a client; its waiter is answered exactly once."""
        self._perform(self.router.request(waiter, view, request, self._loop.time()))

    def answered(self, ask_id: AskId, cw: ControlWords) -> None:
        """A source has answered."""
        self._ended(ask_id, EcmResult.CW)
        self._perform(self.router.answered(ask_id, cw, self._loop.time()))

    def refused(self, ask_id: AskId, refusal: Refusal) -> None:
        """A source has no answer."""
        self._ended(ask_id, _RESULTS[refusal])
        self._perform(self.router.refused(ask_id, refusal, self._loop.time()))

    def send_emm(self, card: Card, emm: Emm) -> None:
        """Pass an EMM to a card, if its source is there."""
        source = self._sources.get(card.source)
        if source is not None:
            source.send_emm(card, emm)

    def gone(self, waiters: Iterable[ClientRequest]) -> None:
        """Nobody waits for these any more: the client left."""
        for waiter in waiters:
            self._perform(self.router.waiter_gone(waiter, self._loop.time()))

    def _perform(self, actions: Iterable[Action]) -> None:
        """Carry out actions, and those that follow from them at once, in order."""
        queue = deque(actions)
        while queue:
            action = queue.popleft()
            try:
                queue.extend(self._carry_out(action))
            except Exception as error:  # the others that wait are to get their answers
                self._on_failure("carrying out what the router decided", error)
        self._alarm.set(self.router.next_deadline())

    def _carry_out(self, action: Action) -> Iterable[Action]:
        match action:
            case Deliver(waiter, cw, trace):
                waiter.deliver(cw, trace)  # type: ignore[attr-defined]
            case Refuse(waiter, nok, trace):
                waiter.refuse(nok, trace)  # type: ignore[attr-defined]
            case Ask():
                return self._ask(action)
            case Abandon(ask_id):
                return self._abandon(ask_id)
            case LoopDetected():
                self._on_loop(action)
        return ()

    def _ask(self, ask: Ask) -> Iterable[Action]:
        source = self._sources.get(ask.source)
        if source is None:
            return self.router.refused(ask.ask_id, Refusal.PASSING, self._loop.time())
        self._asked[ask.ask_id] = _Asked(ask.source, source, ask.request, self._loop.time())
        try:
            result = source.ask(ask)
        except Exception as error:
            self._on_failure(f"asking {source.name}", error)
            result = Refusal.PASSING
        if result is None:
            return ()
        if isinstance(result, Refusal):
            self._ended(ask.ask_id, _RESULTS[result])
            return self.router.refused(ask.ask_id, result, self._loop.time())
        self._ended(ask.ask_id, EcmResult.CW)
        return self.router.answered(ask.ask_id, result, self._loop.time())

    def _abandon(self, ask_id: AskId) -> Iterable[Action]:
        asked = self._asked.get(ask_id)
        if asked is None or not asked.source.forget(ask_id):
            return ()
        del self._asked[ask_id]  # never sent, so it is not counted
        return self.router.refused(ask_id, Refusal.NOT_SENT, self._loop.time())

    def _ended(self, ask_id: AskId, result: EcmResult) -> None:
        """Count an ask, and tell who wants to know."""
        asked = self._asked.pop(ask_id, None)
        if asked is None:
            return
        source, request = asked.source, asked.request
        seconds = self._loop.time() - asked.at
        answered = result is EcmResult.CW
        source.usage.finished(request, local=source.local, answered=answered)
        if weight := self._observers.weight(ask_id):
            self._observers.tell(
                SourceAnswered(
                    at=self._observers.now(),
                    source=source.name,
                    caid=request.caid,
                    ident=request.ident,
                    sid=request.sid,
                    result=result,
                    seconds=seconds,
                    weight=weight,
                )
            )

    def _on_alarm(self) -> None:
        actions: Iterable[Action] = ()
        try:
            actions = self.router.handle_deadline(self._loop.time())
        except Exception as error:  # what is due later is still to be done
            self._on_failure("the router's timer", error)
        self._perform(actions)
