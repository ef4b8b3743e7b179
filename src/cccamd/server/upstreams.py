"""Upstream links as sources: cards learnt and forgotten, ECMs asked."""

import asyncio
import logging
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import ClassVar, assert_never

from cccamd.cards import (
    Added,
    Card,
    CardTable,
    Kept,
    LocalOffer,
    Rejected,
    Rejection,
    SourceId,
)
from cccamd.facts import SourceKind
from cccamd.ids import LoginKey, format_share_id
from cccamd.net import (
    Connected,
    Failure,
    FairPlay,
    Keyring,
    Link,
    LinkEvent,
    LinkWaiting,
    Step,
    TaskSet,
    TlsCall,
    in_slices,
)
from cccamd.routing import Ask, AskId, NodeHolder, SourceTraits
from cccamd.server.exchange import Exchange
from cccamd.server.linkcards import LinkCards, Said
from cccamd.server.loglines import (
    CloneWatch,
    describe_card,
    describe_peer,
    describe_program,
    describe_way,
    shorten,
)
from cccamd.server.observers import Observers
from cccamd.server.usage import SourceUsage
from cccamd.setup.cccamcfg import NLine
from cccamd.setup.logins import Upstream
from cccamd.values import ControlWords, Emm, Offer, Refusal, Request
from cccamd.watch import CardsChanged, SourceDown, SourceGone, SourceUp, followed
from cccamd.wire.callers import caller_of
from cccamd.wire.cccam import Identity, Target
from cccamd.wire.link import (
    Answered,
    ClientSide,
    Closed,
    EmmAcknowledged,
    Introduced,
    LoginSucceeded,
    OfferAdded,
    OfferWithdrawn,
    Peer,
    PeerChanged,
    Refused,
    Remark,
    TextReceived,
)
from cccamd.wire.newcamd import NewcamdTarget

log = logging.getLogger("cccamd.upstream")

TOLD_LIMIT = 20
"""How many texts and challenges of one login are told."""
TOLD_AGAIN_AFTER = 600.0
"""Seconds after which it is told again that a link still fails in the same way."""
MISSED_FOR = 60.0
"""Seconds for which a link that was lost is missed by those who were asking it."""
NEWCAMD_RESHARE = 10
"""How many further hops the card of a newcamd server may be passed on: as one of our own."""
PAUSED = "paused: by hand, until `cccamd link resume`"
HURRY_EVERY = 0.2
"""Seconds between two times that all links are told to hurry."""


def target_of(upstream: Upstream) -> Target | NewcamdTarget:
    """Where and how to log in."""
    line, limits = upstream.line, upstream.limits
    if isinstance(line, NLine):
        return NewcamdTarget(
            host=line.host,
            port=line.port,
            user=line.user_bytes(),
            password=line.password_bytes(),
            config_key=bytes.fromhex(line.deskey),
            step_timeout=limits.login_timeout,
        )
    return Target(
        host=line.host,
        port=line.port,
        user=line.user_bytes(),
        password=line.password_bytes(),
        version=upstream.version,
        want_emus=line.wantemus,
        login_timeout=limits.login_timeout,
        answer_timeout=limits.answer_timeout,
    )


def _call(upstream: Upstream, keyring: Keyring | None) -> TlsCall | None:
    """How TLS is made with it; an upstream that is paired is never called without."""
    if not upstream.paired:
        return None
    if keyring is None:
        raise ValueError(f"{upstream.name} is paired, and there are no keys")
    return TlsCall(keyring, upstream.paired)


def _hops(upstream: Upstream) -> int | None:
    return upstream.line.hops if isinstance(upstream.line, NLine) else None


def _tls_of(upstream: Upstream) -> tuple[str, int | None]:
    return upstream.paired, upstream.tls_port


class UpstreamSource:
    """One link: what it announces goes into the card table, what it answers to the exchange."""

    local: ClassVar = False

    def __init__(
        self,
        upstream: Upstream,
        *,
        identity: Identity,
        table: CardTable,
        exchange: Exchange,
        tasks: TaskSet,
        clones: CloneWatch,
        observers: Observers,
        on_cards_changed: Callable[[], None],
        on_failure: Callable[[str, BaseException], None],
        make: Callable[[float], ClientSide] | None = None,
        keyring: Keyring | None = None,
        fair: FairPlay | None = None,
    ) -> None:
        """`make` makes the protocol object of each login; without it, that of the line's kind.

        `keyring`: our key and those of paired servers, for an upstream that is one.

        `fair`: with which links it takes turns.
        """
        self.name = upstream.name
        self.usage = SourceUsage()
        self.upstream = upstream
        self.up_at: float | None = None
        """Seconds since the epoch; None while it is not logged in."""
        self.down_since: float | None = observers.now()
        """Seconds since the epoch; None while it is logged in."""
        self.program = ""
        """What the server calls itself; empty without a partner text."""
        self.source_id = table.add_source(upstream.policy)
        self._cards = LinkCards(
            table,
            self.source_id,
            name=upstream.name,
            tasks=tasks,
            take=self._take,
            on_cards_changed=on_cards_changed,
        )
        self.link = Link(
            upstream.line.host,
            upstream.tls_port or upstream.line.port,
            make or caller_of(target_of(upstream), identity, os.urandom),
            handle=self._handle,
            on_failure=on_failure,
            tls=_call(upstream, keyring),
            fair=fair,
        )
        self._table = table
        self._exchange = exchange
        self._clones = clones
        self._observers = observers
        self._on_cards_changed = on_cards_changed
        self._reported_cards = 0
        self._told = self._emms_sent = 0
        self._loop = asyncio.get_running_loop()
        self._asked_at = -MISSED_FOR
        self._told_failure = ""
        self._told_failure_at = 0.0
        self._untold = 0
        self._too_many_told = False
        self.is_paused = self._is_stopped = False
        self._tasks = tasks
        self._task = self._start()

    @property
    def label(self) -> str:
        """How logs name it: where we are the client, and by which line."""
        return f"upstream {self.name} (line {self.upstream.line.line})"

    @property
    def next_attempt_at(self) -> float | None:
        """Seconds since the epoch; None while it does not wait for it."""
        left = self.link.next_attempt_in
        return None if left is None else self._observers.now() + left

    @property
    def peer(self) -> Peer | None:
        """Who the server is; None while nobody is logged in."""
        protocol = self.link.protocol
        return protocol.peer if protocol is not None else None

    @property
    def _holder(self) -> NodeHolder:
        return NodeHolder(self.name, self.link.peer_address, is_client=False)

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by so many seconds, and shows `now`."""
        if self.up_at is not None:
            self.up_at = followed(self.up_at, step, now)
        if self.down_since is not None:
            self.down_since = followed(self.down_since, step, now)
        self._told_failure_at = followed(self._told_failure_at, step, now)

    async def adopt(self, upstream: Upstream) -> bool:
        """Take over an edited line without a new login, if that is possible."""
        if target_of(upstream) != target_of(self.upstream):
            return False
        if _hops(upstream) != _hops(self.upstream):
            return False
        if _tls_of(upstream) != _tls_of(self.upstream):
            return False
        self.upstream = upstream
        await in_slices(self._judging_anew(upstream))
        if self.link.is_up:
            self._cards.when_gone(self._let_be_asked)
        self._on_cards_changed()
        return True

    def _judging_anew(self, upstream: Upstream) -> Generator[None, None, None]:
        for card in self._table.judging(self.source_id, upstream.policy):
            if card is not None:
                self._exchange.withdraw_card(card)
            yield

    def report_cards(self) -> None:
        """Tell how many cards there are now, if that has changed."""
        count = self._table.count_of(self.source_id)
        if count != self._reported_cards:
            self._reported_cards = count
            now = self._observers.now()
            self._observers.tell(CardsChanged(at=now, source=self.name, cards=count))

    async def pause(self) -> None:
        """Log out, and do not call until `resume`."""
        self.is_paused = True
        await self._halt()
        self.link.rest(Failure(Step.PAUSED, PAUSED))
        now = self._observers.now()
        self._observers.tell(SourceDown(at=now, source=self.name, reason=PAUSED))

    def resume(self) -> None:
        """Call again, at once; after `pause`."""
        if self.is_paused and not self._is_stopped:
            self.is_paused = False
            self._task = self._start()

    def _start(self) -> asyncio.Task[None]:
        return self._tasks.start(f"link to {self.name}", self.link.run())

    async def _halt(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._lose()

    async def stop(self) -> None:
        """Log out and forget everything it announced."""
        self._is_stopped = True
        await self._halt()
        await self._cards.end()
        self._table.forget_source(self.source_id)
        self._exchange.forget_source(self.source_id)
        self._observers.tell(SourceGone(at=self._observers.now(), source=self.name))

    def ask(self, ask: Ask) -> ControlWords | Refusal | None:
        try:
            self.link.ask(ask.ask_id, ask.request)
        except (ConnectionError, ValueError) as error:
            log.debug("%s: cannot be asked: %s", self.label, error)
            return Refusal.NOT_SENT
        self._asked_at = self._loop.time()
        return None

    def answer(self, request: Request) -> None:
        return None

    def forget(self, ask_id: AskId) -> bool:
        return self.link.forget(ask_id)

    def send_emm(self, card: Card, emm: Emm) -> None:
        if self.link.is_up:
            self._emms_sent += 1
            to_card = replace(emm, share_id=card.share_id)
            self.link.send_emm(self._emms_sent, to_card)

    def _handle(self, event: LinkEvent) -> None:
        match event:
            case Answered():
                self._exchange.answered(AskId(event.token), event.cw)
            case Refused(token, refusal):
                self._exchange.refused(AskId(token), refusal)
            case OfferAdded() | OfferWithdrawn():
                self._cards.said(event)
            case Introduced(peer):
                self._up(peer)
            case PeerChanged(peer):
                self._learn_of(peer)
            case Connected(address):
                log.debug("%s: connected to %s", self.label, address)
            case Closed():
                self._lose()
            case LinkWaiting(failure):
                self._wait(failure)
            case LoginSucceeded():
                log.debug("%s: login accepted", self.label)
            case EmmAcknowledged():
                self._exchange.teach_source(self.source_id)
            case TextReceived(text):
                if text:
                    self._tell("says: %s", shorten(text))
            case Remark():
                self._remark(event)
            case _:
                assert_never(event)

    def _take(self, event: Said) -> None:
        if isinstance(event, OfferAdded):
            self._add_card(event.offer)
            return
        log.debug("%s: card %s removed", self.label, format_share_id(event.share_id))
        card = self._table.remove(self.source_id, event.share_id)
        if card is not None:
            self._exchange.withdraw_card(card)
            self._on_cards_changed()

    def _add_card(self, announced: Offer) -> None:
        result = self._taken(announced)
        if isinstance(result, Rejected):
            name = self.label
            log.debug("%s: %s not taken: %s", name, describe_card(announced), result.text)
            self._warn_of_too_many(result)
            if result.instead_of is not None:
                self._exchange.withdraw_card(result.instead_of)
        else:
            before = result.replaced if isinstance(result, Added) else None
            if before is not None and before.caid != result.card.caid:
                self._exchange.withdraw_card(before)
            self._exchange.offer_card(result.card)
            log.debug("%s: %s", self.label, describe_card(announced))
        self._on_cards_changed()

    def _taken(self, announced: Offer) -> Added | Kept | Rejected:
        """A newcamd server says nothing of hops and reshare: its card is like one of ours, at
        the distance that its N-line names (docs/config.md section 3.3)."""
        hops = _hops(self.upstream)
        if hops is None:
            return self._table.add(self.source_id, announced)
        local = LocalOffer(
            caid=announced.caid,
            share_id=announced.share_id,
            hop=hops,
            reshare=NEWCAMD_RESHARE,
            providers=announced.providers,
            ua=announced.ua,
        )
        return self._table.add_local(self.source_id, local)

    def _warn_of_too_many(self, rejected: Rejected) -> None:
        if rejected.reason is Rejection.TOO_MANY_CARDS and not self._too_many_told:
            self._too_many_told = True
            limit = "cccamd.toml, [limits] upstream_cards_limit, can raise the limit"
            log.warning(
                "%s: some of its cards are not taken: %s; %s", self.label, rejected.text, limit
            )

    def _up(self, peer: Peer) -> None:
        way = describe_way(self.link.paired)
        log.info("%s: we are logged in; %s%s", self.label, describe_peer(peer), way)
        if peer.node_id is not None:
            self._clones.seen(peer.node_id, self._holder)
            self._table.set_node_id(self.source_id, peer.node_id)
        self.up_at = self._observers.now()
        self.down_since, self._told_failure = None, ""
        self._told, self._too_many_told = 0, False
        self._observers.tell(SourceUp(at=self.up_at, source=self.name))
        self._learn_of(peer)

    def _learn_of(self, peer: Peer) -> None:
        if peer.program and peer.program != self.program:
            self._tell("%s", describe_program(peer))
            self.program = peer.program
        self._cards.when_gone(self._let_be_asked)

    def _wait(self, failure: Failure) -> None:
        if self._loop.time() < self._asked_at + MISSED_FOR:
            self.link.hurry()
        now = self._observers.now()
        self._tell_failure(failure.text, self.link.next_attempt_in or 0.0, now)
        self._observers.tell(SourceDown(at=now, source=self.name, reason=failure.text))

    def _tell_failure(self, text: str, delay: float, now: float) -> None:
        """Log a failure once, and then from time to time that it goes on."""
        if text != self._told_failure:
            log.warning("%s: %s; next attempt in %.1f s", self.label, text, delay)
        elif now >= self._told_failure_at + TOLD_AGAIN_AFTER:
            attempts = self._untold + 1
            log.warning("%s: still: %s; %d more attempts", self.label, text, attempts)
        else:
            self._untold += 1
            log.debug("%s: again: %s; next attempt in %.1f s", self.label, text, delay)
            return
        self._told_failure, self._told_failure_at, self._untold = text, now, 0

    def _let_be_asked(self) -> None:
        protocol = self.link.protocol
        traits = SourceTraits(
            one_at_a_time=protocol is None or protocol.one_at_a_time,
            group=self.upstream.group,
            rank=self.upstream.rank,
        )
        self._exchange.add_source(self.source_id, self, traits)

    def _lose(self) -> None:
        """Take back all that the login brought. Each callback runs, whatever another raises."""
        if self.up_at is not None:
            self.up_at, self.down_since = None, self._observers.now()
        peer = self.peer
        with ExitStack() as held:
            if peer is not None and peer.node_id is not None:
                held.callback(self._clones.gone, peer.node_id, self._holder)
            held.callback(self._cards.drop)
            held.callback(self._exchange.remove_source, self.source_id)

    def _tell(self, text: str, *values: object) -> None:
        """Log what a server may say as often as it likes, but not that often."""
        self._told += 1
        if self._told <= TOLD_LIMIT:
            log.info("%s: " + text, self.label, *values)

    def _remark(self, remark: Remark) -> None:
        if remark.is_news:
            self._tell("%s", remark)
        elif not remark.is_routine and log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %s", self.label, remark)


class Upstreams:
    """The links that are configured now."""

    def __init__(self, start: Callable[[Upstream], UpstreamSource]) -> None:
        self._start = start
        self._running: dict[tuple[SourceKind, LoginKey], UpstreamSource] = {}
        self._hurried_at = -HURRY_EVERY

    def __len__(self) -> int:
        return len(self._running)

    def hurry(self) -> None:
        """Somebody wants what a link that waits might have: let those links try sooner."""
        now = asyncio.get_running_loop().time()
        if now >= self._hurried_at + HURRY_EVERY:
            self._hurried_at = now
            for source in self._running.values():
                source.link.hurry()

    def sources(self) -> Iterable[tuple[SourceId, UpstreamSource]]:
        """The links, up or not."""
        return [(source.source_id, source) for source in self._running.values()]

    def links(self) -> list[Link[ClientSide]]:
        """The links themselves."""
        return [source.link for source in self._running.values()]

    async def apply(self, upstreams: Iterable[Upstream]) -> None:
        """Start the links that are new, stop those that are gone, leave the others alone."""
        wanted = {upstream.key: upstream for upstream in upstreams}
        for key, running in list(self._running.items()):
            if key not in wanted or not await running.adopt(wanted[key]):
                del self._running[key]
                await running.stop()
            await asyncio.sleep(0)  # others have the loop in between
        for key, upstream in wanted.items():
            if key not in self._running:
                self._running[key] = self._start(upstream)
                await asyncio.sleep(0)
