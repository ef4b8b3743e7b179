"""Upstream links as sources: cards learnt and forgotten, ECMs asked."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from cccamd.cards import Card, CardTable, Rejected, Rejection, SourceId
from cccamd.ids import format_node_id, format_share_id
from cccamd.net import Connected, Identity, Link, LinkWaiting, Target, TaskSet
from cccamd.routing import Ask, AskId, Refusal, SourceTraits
from cccamd.server.clones import CloneWatch
from cccamd.server.exchange import Exchange, Source
from cccamd.server.observers import Observers
from cccamd.server.words import describe_card, describe_partner, shorten
from cccamd.setup.logins import Upstream
from cccamd.watch import CardsChanged, SourceDown, SourceUp
from cccamd.wire.cccam import (
    CardAdded,
    CardRemoved,
    ChallengeReceived,
    Closed,
    Command,
    ControlWords,
    EcmAnswered,
    EcmRefused,
    Emm,
    LoginSucceeded,
    MalformedReceived,
    Nok,
    PartnerText,
    ServerData,
    TextReceived,
    UnexpectedReceived,
    command_name,
)

log = logging.getLogger("cccamd.upstream")

TOLD_LIMIT = 20
"""How many texts and challenges of one login are told."""

_REFUSALS = {Nok.NOK1: Refusal.PASSING, Nok.NOK2: Refusal.NOT_DECODED}


def target_of(upstream: Upstream) -> Target:
    """Where and how to log in."""
    line, limits = upstream.line, upstream.limits
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


class UpstreamSource(Source):
    """One link: what it announces goes into the card table, what it answers to the exchange."""

    local = False

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
    ) -> None:
        super().__init__(upstream.name)
        self.upstream = upstream
        self.up_at: float | None = None
        """Seconds since the epoch; None while it is not logged in."""
        self.next_attempt_at: float | None = None
        self.program = ""
        """What the server calls itself; empty without a partner text."""
        self.source_id = table.add_source(upstream.policy)
        self.link = Link(
            target_of(upstream), identity=identity, handle=self._handle, on_failure=on_failure
        )
        self._table = table
        self._exchange = exchange
        self._clones = clones
        self._observers = observers
        self._on_cards_changed = on_cards_changed
        self._reported_cards = 0
        self._told = 0
        self._too_many_told = False
        self._asks: dict[int, AskId] = {}
        self._link_ids: dict[AskId, int] = {}
        self._task = tasks.start(f"link to {upstream.name}", self.link.run())

    @property
    def label(self) -> str:
        """How logs name it: where we are the client, and by which line."""
        return f"upstream {self.name} (line {self.upstream.line.line})"

    def adopt(self, upstream: Upstream) -> bool:
        """Take over an edited line without a new login, if that is possible."""
        if target_of(upstream) != target_of(self.upstream):
            return False
        self.upstream = upstream
        self._table.set_policy(self.source_id, upstream.policy)
        protocol = self.link.protocol
        if self.link.is_up and protocol is not None:
            self._tell_traits(one_at_a_time=not protocol.extended)
        self._on_cards_changed()
        return True

    def report_cards(self) -> None:
        """Tell how many cards there are now, if that has changed."""
        count = len(self._table.cards_of(self.source_id))
        if count != self._reported_cards:
            self._reported_cards = count
            now = self._observers.now()
            self._observers.tell(CardsChanged(at=now, source=self.name, cards=count))

    async def stop(self) -> None:
        """Log out and forget everything it announced."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._lose()
        self._table.forget_source(self.source_id)

    def ask(self, ask: Ask) -> ControlWords | Refusal | None:
        try:
            link_id = self.link.ask(ask.request)
        except (ConnectionError, ValueError) as error:
            log.debug("%s: cannot be asked: %s", self.label, error)
            return Refusal.PASSING
        self._asks[link_id] = ask.ask_id
        self._link_ids[ask.ask_id] = link_id
        return None

    def forget(self, ask_id: AskId) -> bool:
        link_id = self._link_ids.get(ask_id)
        if link_id is None or not self.link.forget(link_id):
            return False
        self._take(link_id)
        return True

    def send_emm(self, card: Card, emm: Emm) -> None:
        if self.link.is_up:
            self.link.send_emm(Emm(emm.caid, emm.ident, card.share_id, emm.emm))

    def _handle(self, event: object) -> None:
        match event:
            case EcmAnswered(link_id, cw):
                self._answered(link_id, cw)
            case EcmRefused(link_id, nok):
                self._refused(link_id, nok)
            case CardAdded():
                self._add_card(event)
            case CardRemoved(share_id):
                log.debug("%s: card %s removed", self.label, format_share_id(share_id))
                if self._table.remove(self.source_id, share_id) is not None:
                    self._on_cards_changed()
            case ServerData():
                self._up(event)
            case PartnerText():
                self._partner(event)
            case Connected(address):
                log.debug("%s: connected to %s", self.label, address)
            case Closed():
                self._lose()
            case LinkWaiting(reason, delay):
                self._wait(reason, delay)
            case _:
                self._note(event)

    def _answered(self, link_id: int, cw: ControlWords) -> None:
        ask_id = self._take(link_id)
        if ask_id is not None:
            self._exchange.answered(ask_id, cw)

    def _refused(self, link_id: int, nok: Nok) -> None:
        ask_id = self._take(link_id)
        if ask_id is not None:
            self._exchange.refused(ask_id, _REFUSALS[nok])

    def _take(self, link_id: int) -> AskId | None:
        ask_id = self._asks.pop(link_id, None)
        if ask_id is not None:
            del self._link_ids[ask_id]
        return ask_id

    def _add_card(self, announced: CardAdded) -> None:
        result = self._table.add(self.source_id, announced)
        if isinstance(result, Rejected):
            name = self.label
            log.debug("%s: %s not taken: %s", name, describe_card(announced), result.text)
            self._warn_of_too_many(result)
        else:
            log.debug("%s: %s", self.label, describe_card(announced))
        self._on_cards_changed()

    def _warn_of_too_many(self, rejected: Rejected) -> None:
        if rejected.reason is Rejection.TOO_MANY_CARDS and not self._too_many_told:
            self._too_many_told = True
            limit = "cccamd.toml, [limits] upstream_cards_limit, can raise the limit"
            log.warning(
                "%s: some of its cards are not taken: %s; %s", self.label, rejected.text, limit
            )

    def _up(self, server: ServerData) -> None:
        protocol = self.link.protocol
        assert protocol is not None
        log.info(
            "%s: we are logged in; version %s build %s, %s, node id %s",
            self.label,
            server.version,
            server.build,
            protocol.revision.value,
            format_node_id(server.node_id),
        )
        self._clones.seen(server.node_id, self.link.peer_address)
        self._table.set_node_id(self.source_id, server.node_id)
        self.up_at, self.next_attempt_at = self._observers.now(), None
        self._told, self._too_many_told = 0, False
        self._observers.tell(SourceUp(at=self.up_at, source=self.name))
        self._tell_traits(one_at_a_time=not protocol.extended)

    def _partner(self, partner: PartnerText) -> None:
        if partner.program != self.program:
            self._tell("%s", describe_partner(partner))
        self.program = partner.program
        protocol = self.link.protocol
        self._tell_traits(one_at_a_time=protocol is None or not protocol.extended)

    def _wait(self, reason: str, delay: float) -> None:
        log.warning("%s: %s; next attempt in %.1f s", self.label, reason, delay)
        now = self._observers.now()
        self.next_attempt_at = now + delay
        self._observers.tell(SourceDown(at=now, source=self.name, reason=reason))

    def _tell_traits(self, *, one_at_a_time: bool) -> None:
        traits = SourceTraits(
            one_at_a_time=one_at_a_time, group=self.upstream.group, rank=self.upstream.rank
        )
        self._exchange.add_source(self.source_id, self, traits)

    def _lose(self) -> None:
        """Take back all that the login brought. Each callback runs, whatever another raises."""
        self.up_at = None
        self._asks.clear()
        self._link_ids.clear()
        protocol = self.link.protocol
        with ExitStack() as held:
            if protocol is not None and protocol.server is not None:
                held.callback(self._clones.gone, protocol.server.node_id, self.link.peer_address)
            held.callback(self._drop_cards)
            held.callback(self._exchange.remove_source, self.source_id)

    def _drop_cards(self) -> None:
        if self._table.drop_source(self.source_id):
            self._on_cards_changed()

    def _tell(self, text: str, *values: object) -> None:
        """Log what a server may say as often as it likes, but not that often."""
        self._told += 1
        if self._told <= TOLD_LIMIT:
            log.info("%s: " + text, self.label, *values)

    def _note(self, event: object) -> None:
        name = self.label
        match event:
            case LoginSucceeded():
                log.debug("%s: login accepted", name)
            case TextReceived(text) if text:
                self._tell("says: %s", shorten(text))
            case ChallengeReceived(Command.CLIENT_CHECK_0E):
                self._tell("checks its clients (0x0E); if it drops us we come back as 2.0.11")
            case ChallengeReceived(command, answered):
                done = "answered" if answered else "not answered"
                self._tell("old server's challenge 0x%02X %s", command, done)
            case UnexpectedReceived(command, length):
                log.debug("%s: %s of %d bytes ignored", name, command_name(command), length)
            case MalformedReceived(command, _, why):
                log.debug("%s: malformed %s ignored: %s", name, command_name(command), why)


class Upstreams:
    """The links that are configured now."""

    def __init__(self, start: Callable[[Upstream], UpstreamSource]) -> None:
        self._start = start
        self._running: dict[tuple[str, int, str], UpstreamSource] = {}

    def __len__(self) -> int:
        return len(self._running)

    def sources(self) -> Iterable[tuple[SourceId, UpstreamSource]]:
        """The links, up or not."""
        return [(source.source_id, source) for source in self._running.values()]

    async def apply(self, upstreams: Iterable[Upstream]) -> None:
        """Start the links that are new, stop those that are gone, leave the others alone."""
        wanted = {upstream.key: upstream for upstream in upstreams}
        for key, running in list(self._running.items()):
            if key not in wanted or not running.adopt(wanted[key]):
                del self._running[key]
                await running.stop()
        for key, upstream in wanted.items():
            if key not in self._running:
                self._running[key] = self._start(upstream)
