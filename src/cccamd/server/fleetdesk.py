"""A node of a fleet: carries out what its claims decide, and deals with the other nodes.

    what the router wants to ask   Exchange -> `ask` -> Claims: now, or held until `Exchange.go`
    a CW of a card of ours         Exchange -> `stored` -> Claims -> the engine
    a CW of another node           the engine -> `handle` -> Claims -> `Exchange.heard`, by that
                                   node's card
    a card of another node         `NodeSource` -> an order on that node's channel -> `_ordered`
                                   there -> `Exchange.seek` -> a reply on our channel

Why it is so: docs/design/fleet.md.
"""

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import Callable, Generator, Iterable
from typing import Final, Protocol

from cccamd.cards import Candidates, Card, CardTable
from cccamd.facts import FleetStatus, NodeState, NodeStatus
from cccamd.fleet.actions import (
    Engine,
    EngineAction,
    EngineBack,
    EngineEvent,
    EngineLost,
    Fetch,
    Fetched,
    Hearers,
    Publish,
    Pushed,
    Unheard,
    Watch,
)
from cccamd.fleet.claims import Claims, Decision, Go, Heard
from cccamd.fleet.letters import (
    Letter,
    Missing,
    Order,
    Presence,
    Reply,
    SharedSource,
    read,
    read_list,
    write,
    write_list,
)
from cccamd.fleet.roll import GONE_AFTER, Absent, Roll
from cccamd.ids import NodeId
from cccamd.net import Alarm, TaskSet, in_slices
from cccamd.routing import (
    Ask,
    AskId,
    Disproved,
    Prospect,
    Store,
    Tidings,
    Trace,
    Waiter,
    Wanted,
)
from cccamd.server.exchange import Exchange
from cccamd.server.fleetconfig import accounts_text, usual_one
from cccamd.server.fleetnodes import NEVER, Node, Nodes, order_of, shared_offer
from cccamd.server.membership import Membership
from cccamd.setup.logins import Accounts
from cccamd.values import CardId, ControlWords, Refusal, Service

log = logging.getLogger("cccamd.fleet")

HERE_EVERY: Final = 5.0
"""Seconds between two times that a node says that it is there."""
LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether our cards have changed."""
FETCH_AGAIN: Final = 5.0
LIST_LIFE: Final = 3600.0
LIST_AGAIN: Final = 1200.0
"""Seconds for which the engine keeps our list, and after which it gets it again."""
DISTRUST: Final = 600.0
"""Seconds for which a node that gave a wrong CW is not believed."""
NODES_LIMIT: Final = 500
ORDERS_LIMIT: Final = 2000
"""Orders of other nodes that are being asked; what is more is refused."""


class RunningEngine(Engine, Protocol):
    """An engine that has to be run."""

    async def run(self) -> None:
        """Be connected, until cancelled."""


class FleetDesk:
    """One node. It is the `Gate` of the exchange."""

    def __init__(
        self,
        *,
        membership: Membership,
        node_id: NodeId,
        exchange: Exchange,
        table: CardTable,
        tasks: TaskSet,
        is_constant: Callable[[Card], bool],
        on_cards_changed: Callable[[], None],
        carried_out: Callable[[str, str], None],
        on_failure: Callable[[str, BaseException], None],
    ) -> None:
        """`is_constant` tells cards of fixed keys; the last two are as `Hearers` says."""
        self.node = node = membership.node
        seals = membership.seals
        self.nodes = Nodes(
            table=table,
            exchange=exchange,
            order=self._order,
            on_cards_changed=on_cards_changed,
        )
        self.claims = Claims(node, seals, may_serve=self.nodes.may_serve)
        self.engine = membership.make_engine(Hearers(self.handle, carried_out, on_failure))
        self.listeners: list[Callable[[EngineEvent], None]] = []
        """Who else is told what the engine tells, and leaves alone what is not for him."""
        self.twin = ""
        """The node id of another node of our name."""
        self._config = ""
        self._roll = Roll()
        self._said_at = 0.0
        self._is_asked = False
        """Whether somebody who has come wants to know that we are there."""
        self._node_id = node_id
        self._boot = os.urandom(6).hex()
        self._seals = seals
        self._exchange = exchange
        self._table = table
        self._tasks = tasks
        self._is_constant = is_constant
        self._loop = asyncio.get_running_loop()
        self._engine_since = self._loop.time()
        self._alarm = Alarm(self)
        self._all = seals.name("nodes")
        self._own = self._channel(node)
        self._fetches: dict[bytes, str] = {}
        self._seen_generation = -1
        self._revision = ""
        self._list: bytes = b""
        self._list_sent_at = 0.0
        self._client = exchange.add_client(self)
        self._orders: dict[int, Order] = {}
        self._order_count = 0
        exchange.gate = self

    def start(self) -> None:
        """Begin."""
        self._tasks.start("the fleet's engine", self.engine.run())
        self._tasks.start("the fleet", self._run())

    async def _run(self) -> None:
        """Say that we are there, and look who is; until cancelled."""
        while True:
            now = self._loop.time()
            await in_slices(self._look_for_the_gone(now))
            if self._table.generation != self._seen_generation:
                await self._make_list()
            if self.is_up and now >= self._list_sent_at + LIST_AGAIN:
                self._send_list()
            if self._is_asked or now >= self._said_at + HERE_EVERY:
                self._say_here()
            await asyncio.sleep(LOOK_EVERY)

    def leave(self) -> None:
        """Tell the others that we go."""
        self._tell(self._all, self._presence(leaves=True))
        self._exchange.gate = None

    @property
    def is_up(self) -> bool:
        """Whether the engine is there."""
        return self.claims.is_up

    async def adopt(self, accounts: Accounts) -> None:
        """Compare these with those of the other nodes from now on."""
        # A thread: there may be thousands.
        self._config = await asyncio.to_thread(
            lambda: accounts_text(accounts, lambda text: self._seals.name("accounts", text))
        )

    def describe(self) -> FleetStatus:
        """What may be seen of it."""
        counts, nodes, now = self.claims.counts, self.nodes.by_name, self._loop.time()
        epoch = time.time() - now
        usual = usual_one([self._config, *(each.presence.config for each in nodes.values())])
        return FleetStatus(
            node=self.node,
            engine_up=self.is_up,
            engine_since=epoch + self._engine_since,
            trouble=self.engine.trouble,
            config=self._config,
            differs=self._config != usual,
            usual_config=usual,
            twin=self.twin,
            nodes=tuple(
                node.describe(now, epoch, usual, is_seen=self.is_up)
                for _, node in sorted(nodes.items())
            ),
            absent=tuple(
                NodeStatus(
                    name=each.name,
                    heard_at=epoch + each.heard_at,
                    state=each.state,
                    cards=0,
                    config=each.config,
                )
                for each in self._roll.absent()
            ),
            claimed=counts.claimed,
            unanswered=counts.unanswered,
            lost=counts.lost,
            hedged=counts.hedged,
            told=counts.told,
            heard=counts.heard,
            fetched=counts.fetched,
            unread=counts.unread,
            dropped=self.engine.dropped,
        )

    # The gate of the exchange.

    def ask(self, ask_id: AskId, prospect: Prospect) -> bool:
        whose = self.nodes.node_of(prospect.source)
        decisions = self.claims.ask(ask_id, prospect, self._loop.time(), orders_of=whose)
        go = Go(ask_id)
        goes = go in decisions
        self._do([each for each in decisions if each != go])
        return goes

    def forget(self, ask_id: AskId) -> bool:
        return self.claims.forget(ask_id)

    def ended(self, ask_id: AskId) -> None:
        self.claims.ended(ask_id, self._loop.time())
        self._alarm.set(self.claims.next_deadline())

    def stored(self, store: Store) -> None:
        """Tell the others of a CW, unless it is theirs, or only believed for want of a better."""
        card = store.card
        if self.nodes.node_of(card.source) is not None:
            return
        service = store.service
        if service is None or self._exchange.router.doubts(store.fingerprint):
            return
        now = self._loop.time()
        self._do(
            self.claims.answered(
                store.fingerprint, service, card.id, store.cw, now, corrects=store.corrects
            )
        )

    def disproved(self, disproved: Disproved) -> None:
        """If it was a node's card that gave a wrong CW, do not believe that node for a while."""
        name = self.nodes.node_of(disproved.card.source)
        node = self.nodes.by_name.get(name or "")
        if name is None or node is None:
            return
        now = self._loop.time()
        node.wrong += 1
        until = now + DISTRUST
        if now >= node.distrusted_until:
            log.warning(
                "fleet: node %s gave a wrong CW (its card %s); it is not believed for %d minutes",
                name,
                self._exchange.source_of(disproved.card) or "that is gone",
                DISTRUST // 60,
            )
        node.distrusted_until = until
        self.claims.distrust(name, until)
        # Not in the middle of what the router decides: its cards are taken out after that.
        self._loop.call_soon(self.nodes.drop, name)

    # What the engine tells.

    def handle(self, event: EngineEvent) -> None:
        """Go on with what the engine tells."""
        now = self._loop.time()
        match event:
            case EngineBack():
                self._engine_since = now
                self._do(self.claims.handle(event, now))
                self._perform([Watch(self._all), Watch(self._own)])
                self._send_list()
                self._say_here(is_new=True)
            case EngineLost():
                self._engine_since = now
                self._fetches.clear()  # what was not answered never will be
                self._do(self.claims.handle(event, now))
            case Fetched(name, value) if name in self._fetches:
                self._listed(self._fetches.pop(name), name, value)
            case Pushed(channel, _, value) if channel in (self._all, self._own):
                self._letter(channel, value, now)
            case Unheard(channel):
                self._unheard(channel, now)
            case _:
                self._do(self.claims.handle(event, now))
        for listener in self.listeners:
            listener(event)

    def _do(self, decisions: Iterable[Decision]) -> None:
        actions: list[EngineAction] = []
        later: list[Go | Heard] = []
        for decision in decisions:
            if isinstance(decision, Go | Heard):
                later.append(decision)
            else:
                actions.append(decision)
        self._perform(actions)
        for each in later:
            if isinstance(each, Go):
                self._exchange.go(each.ask_id)
            else:
                self._hear(each)
        self._alarm.set(self.claims.next_deadline())

    def _hear(self, heard: Heard) -> None:
        """Give the router a CW as that of the card that gave it; without the card in our table
        nobody here may have it."""
        told = heard.told
        card = self.nodes.card(told.node, told.card)
        if card is not None:
            tidings = Tidings(told.fingerprint, heard.service, card, told.cw, told.corrects)
            self._exchange.heard(tidings)

    def ring(self) -> None:
        """Do what is due."""
        self._do(self.claims.handle_deadline(self._loop.time()))

    def _perform(self, actions: Iterable[EngineAction]) -> None:
        self.engine.perform(actions)

    # Letters.

    def _channel(self, node: str) -> bytes:
        return self._seals.name("node", node.encode())

    def _tell(self, channel: bytes, letter: Letter) -> None:
        value = self._seals.seal(channel, write(letter))
        self._perform([Publish(channel, channel, value, 0)])

    def _letter(self, channel: bytes, value: bytes, now: float) -> None:
        plain = self._seals.unseal(channel, value)
        letter = read(plain) if plain is not None else None
        match letter:
            case Presence():
                self._present(letter, now)
            case Order() if channel == self._own:
                self._ordered(letter, now)
            case Reply() if channel == self._own and letter.boot == self._boot:
                self._replied(letter)
            case Missing() if channel == self._own and now >= self._list_sent_at + FETCH_AGAIN:
                self._send_list()
                self._say_here()
            case _:
                pass

    def _presence(self, *, is_new: bool = False, leaves: bool = False) -> Presence:
        return Presence(
            node=self.node,
            node_id=self._node_id,
            boot=self._boot,
            config=self._config,
            revision=self._revision,
            is_new=is_new,
            leaves=leaves,
        )

    def _say_here(self, *, is_new: bool = False) -> None:
        self._said_at, self._is_asked = self._loop.time(), False
        if self.is_up:
            self._tell(self._all, self._presence(is_new=is_new))

    def _present(self, presence: Presence, now: float) -> None:
        name = presence.node
        if name == self.node:
            self._look_at_twin(presence)
            return
        if presence.leaves:
            self._gone(name, NodeState.STOPPED, now)
            return
        node = self.nodes.by_name.get(name)
        if node is None:
            if len(self.nodes.by_name) >= NODES_LIMIT:
                return
            log.info("fleet: node %s is there", name)
            node = self.nodes.by_name[name] = Node(presence, now, now)
            self._roll.came(name)
        if node.presence.boot != presence.boot:  # another run numbers its cards anew
            self.nodes.drop(name)
        node.presence, node.heard_at = presence, now
        if presence.is_new:
            # When an engine is back all are new at once: one answer is for all of them.
            self._is_asked = True
            if now >= self._said_at + LOOK_EVERY:
                self._say_here()
        if now >= node.distrusted_until and presence.revision not in ("", node.revision):
            self._fetch_list(node, now)

    def _look_at_twin(self, presence: Presence) -> None:
        if presence.boot != self._boot and presence.node_id != self._node_id and not self.twin:
            self.twin = presence.node_id.hex()
            log.error(
                "fleet: another node is called %s, too: each needs a name of its own"
                " ([fleet] node in cccamd.toml)",
                self.node,
            )

    def _gone(self, name: str, state: NodeState, now: float) -> None:
        node = self.nodes.by_name.get(name)
        if node is None:
            return
        why = "nothing was heard of it" if self.is_up else "the engine is away"
        why = "it was stopped" if state is NodeState.STOPPED else why
        log.info("fleet: node %s is gone: %s", name, why)
        self.nodes.drop(name)
        del self.nodes.by_name[name]
        heard_at = now if state is NodeState.STOPPED else node.heard_at
        absent = Absent(
            name=name,
            state=state,
            config=node.presence.config,
            came_at=node.came_at,
            heard_at=heard_at,
        )
        self._roll.left(absent, self._seen_for(now))

    def _seen_for(self, now: float) -> float | None:
        """Seconds for which the engine has been there; None: it is away."""
        return now - self._engine_since if self.is_up else None

    def _unheard(self, channel: bytes, now: float) -> None:
        """Who does not listen is not there (it sees another engine, perhaps): what was ordered goes
        to others at once, and it says that it is there when it is."""
        for name in tuple(self.nodes.by_name):
            if self._channel(name) == channel:
                self._gone(name, NodeState.MISSING, now)

    def _look_for_the_gone(self, now: float) -> Generator[None, None, None]:
        """Without the engine nobody can be heard, and nobody can be asked by orders."""
        for name, node in list(self.nodes.by_name.items()):
            if now >= node.heard_at + GONE_AFTER:
                self._gone(name, NodeState.MISSING, now)
                yield
        self._roll.look(now, self._seen_for(now))

    # Lists of cards.

    async def _make_list(self) -> None:
        self._seen_generation = self._table.generation
        shared = await in_slices(self._sharing())
        data = await asyncio.to_thread(write_list, shared)
        revision = _revision_of(data)
        if revision != self._revision:
            self._revision, self._list = revision, data
            if self.is_up:
                self._send_list()
                self._say_here()

    def _sharing(self) -> Generator[None, None, tuple[SharedSource, ...]]:
        """What other nodes may ask for: all cards but theirs."""
        found: dict[str, tuple[Card, dict[int, Card]]] = {}
        for card in tuple(self._table.cards()):
            named = self._exchange.source_of(card)
            if named is not None and self.nodes.node_of(card.source) is None:
                _, cards = found.setdefault(named[0], (card, {}))
                cards.setdefault(card.own_share_id, card)
            yield
        shared: list[SharedSource] = []
        for name, (first, cards) in sorted(found.items()):
            if first.access.grant.wanted or first.access.grant.denied:
                continue  # lists of services that only this node's cccamd.toml knows
            offers = tuple(shared_offer(card, self._node_id) for card in cards.values())
            groups = first.access.grant.groups
            constant = self._is_constant(first)
            shared.append(SharedSource(name=name, constant=constant, groups=groups, offers=offers))
            yield
        return tuple(shared)

    def _list_name(self, node: str) -> bytes:
        return self._seals.name("cards", node.encode())

    def _send_list(self) -> None:
        if self._revision:
            self._list_sent_at = self._loop.time()
            name = self._list_name(self.node)
            value = self._seals.seal(name, self._list)
            self._perform([Publish(name, b"", value, int(1000 * LIST_LIFE))])

    def _fetch_list(self, node: Node, now: float) -> None:
        if now >= node.fetched_at + FETCH_AGAIN:
            node.fetched_at = now
            name = self._list_name(node.presence.node)
            self._fetches[name] = node.presence.node
            self._perform([Fetch(name)])

    def _listed(self, node: str, name: bytes, value: bytes | None) -> None:
        plain = self._seals.unseal(name, value) if value is not None else None
        if node not in self.nodes.by_name:
            return
        if plain is not None:
            self._tasks.start(f"cards of node {node}", self._take_list(node, plain))
        else:  # the engine was emptied, or had no room: without the list its CWs are for nobody
            self.nodes.by_name[node].fetched_at = NEVER
            self._tell(self._channel(node), Missing(node=self.node))

    async def _take_list(self, name: str, data: bytes) -> None:
        shared = await asyncio.to_thread(read_list, data)
        if shared is not None and self.claims.trusts(name, self._loop.time()):
            await self.nodes.take(name, _revision_of(data), shared)

    # Orders.

    def _order(self, node: str, ask: Ask) -> bool:
        """Ask another node's card; False: there is no way to it."""
        if not self.is_up:
            return False
        self._tell(self._channel(node), order_of(self.node, self._boot, ask))
        return True

    def _replied(self, reply: Reply) -> None:
        ask_id = AskId(reply.number)
        if isinstance(reply.answer, Refusal):
            self._exchange.refused(ask_id, reply.answer)
        else:
            self._exchange.answered(ask_id, reply.answer)

    def _ordered(self, order: Order, now: float) -> None:
        """Another node wants a card of ours to be asked, for a client of its own."""
        request = order.request
        cards = tuple(
            card
            for card in self._table.ways_to(request.share_id)
            if self.nodes.node_of(card.source) is None and card.caid == request.caid
        )
        if not cards or len(self._orders) >= ORDERS_LIMIT:
            self._reply(order, Refusal.PASSING)
            return
        fingerprint = self._exchange.router.fingerprint_of(request)
        service = Service(request.caid, request.ident, request.sid)
        meant = self._exchange.router.asks_of(fingerprint, cards)
        self._do(self.claims.adopt(fingerprint, service, meant, now))
        node = self.nodes.by_name.get(order.node)
        ids: frozenset[CardId] = frozenset(card.id for card in cards)
        candidates = Candidates(cards, frozenset(cards), ids, Refusal.PASSING)
        node_id = node.presence.node_id if node is not None else None
        self._order_count += 1
        token = self._order_count
        self._orders[token] = order
        wanted = Wanted(request, fingerprint, candidates, node_id)
        told = self._exchange.seek(Waiter(self._client, token), wanted)
        if told is not None:
            self.deliver(token, told.cw, None)

    def deliver(self, token: int, cw: ControlWords, trace: Trace | None) -> None:
        """As the recipient of what was asked for other nodes."""
        if order := self._orders.pop(token, None):
            self._reply(order, cw)

    def refuse(self, token: int, refusal: Refusal, trace: Trace) -> None:
        """The same when there is nothing."""
        if order := self._orders.pop(token, None):
            self._reply(order, refusal)

    def _reply(self, order: Order, answer: ControlWords | Refusal) -> None:
        reply = Reply(node=self.node, boot=order.boot, number=order.number, answer=answer)
        self._tell(self._channel(order.node), reply)


def _revision_of(written: bytes) -> str:
    """Stands for a list of cards."""
    return hashlib.blake2b(written, digest_size=8).hexdigest()
