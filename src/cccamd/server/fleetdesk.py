"""A node of a fleet: carries out what its claims decide, and deals with the other nodes.

    what the router wants to ask   Exchange -> `ask` -> Claims: now, or held until `Exchange.go`
    a CW of a card of ours         Exchange -> `stored` -> Claims -> the engine
    a CW of another node           the engine -> `handle` -> Claims -> `Exchange.heard`, by that
                                   node's card
    a card of another node         `NodeSource` -> an order on that node's channel -> `Orders`
                                   there (`fleetorders.py`) -> a reply on our channel
    an EMM for such a card         `NodeSource` -> an update on that node's channel -> `Orders`
    which cards there are          `CardLists` (`fleetlists.py`)

Why it is so: docs/design/fleet.md.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Collection, Generator, Iterable
from typing import Final, Protocol

from cccamd.cards import Card, CardTable
from cccamd.facts import FleetStatus, NodeState, NodeStatus
from cccamd.fleet.actions import (
    Engine,
    EngineAction,
    EngineBack,
    EngineEvent,
    EngineLost,
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
    Update,
    read,
    write,
)
from cccamd.fleet.roll import GONE_AFTER, Absent, Roll
from cccamd.ids import NodeId
from cccamd.net import Alarm, TaskSet, in_slices
from cccamd.routing import (
    Ask,
    AskId,
    Disproved,
    EmmGate,
    Prospect,
    Store,
    Tidings,
)
from cccamd.server.exchange import Exchange
from cccamd.server.fleetconfig import accounts_text, usual_one
from cccamd.server.fleetlists import FETCH_AGAIN, CardLists
from cccamd.server.fleetnodes import Node, Nodes, order_of
from cccamd.server.fleetorders import Orders
from cccamd.server.membership import Membership
from cccamd.setup.logins import Accounts
from cccamd.values import Emm, Fingerprint, Refusal, Service

log = logging.getLogger("cccamd.fleet")

HERE_EVERY: Final = 5.0
"""Seconds between two times that a node says that it is there."""
LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether our cards have changed."""
DISTRUST: Final = 600.0
"""Seconds for which a node that gave a wrong CW is not believed."""
NODES_LIMIT: Final = 500


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
        emm_gate: EmmGate,
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
            update=self._update,
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
        self._unread = seals.unread
        self._unread_at: float | None = None
        self._exchange = exchange
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._engine_since = self._loop.time()
        self._alarm = Alarm(self)
        self._all = seals.name("nodes")
        self._own = self._channel(node)
        self.lists = CardLists(
            node=node,
            node_id=node_id,
            seals=seals,
            table=table,
            exchange=exchange,
            nodes=self.nodes,
            tasks=tasks,
            is_constant=is_constant,
            trusts=lambda name: self.claims.trusts(name, self._loop.time()),
            perform=self._perform,
            missing=self._write,
        )
        self.orders = Orders(
            node=node,
            exchange=exchange,
            table=table,
            nodes=self.nodes,
            emm_gate=emm_gate,
            adopt=self._adopt,
            tell=self._write,
        )
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
            if self._unread != self._seals.unread:
                self._unread, self._unread_at = self._seals.unread, now
            if await self.lists.look() and self.is_up:
                self.lists.send()
                self._say_here()
            if self.is_up and self.lists.is_due():
                self.lists.send()
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
            round_trip=self.claims.round_trips.usual(now) or 0.0,
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
            unread=self._seals.unread,
            unread_at=None if self._unread_at is None else epoch + self._unread_at,
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
                self.lists.send()
                self._say_here(is_new=True)
            case EngineLost():
                self._engine_since = now
                self.lists.fetching.clear()  # what was not answered never will be
                self._do(self.claims.handle(event, now))
            case Fetched(name) if name in self.lists.fetching:
                self.lists.fetched(event)
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

    def _write(self, node: str, letter: Letter) -> None:
        self._tell(self._channel(node), letter)

    def _letter(self, channel: bytes, value: bytes, now: float) -> None:
        plain = self._seals.unseal(channel, value)
        letter = read(plain) if plain is not None else None
        match letter:
            case Presence():
                self._present(letter, now)
            case Order() if channel == self._own:
                self.orders.take(letter)
            case Reply() if channel == self._own and letter.boot == self._boot:
                self._replied(letter)
            case Update() if channel == self._own:
                self.orders.update(letter)
            case Missing() if channel == self._own and self.lists.is_due(FETCH_AGAIN):
                self.lists.send()
                self._say_here()
            case _:
                pass

    def _presence(self, *, is_new: bool = False, leaves: bool = False) -> Presence:
        return Presence(
            node=self.node,
            node_id=self._node_id,
            boot=self._boot,
            config=self._config,
            revision=self.lists.revision,
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
            self.lists.fetch(node)

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

    # Orders.

    def _order(self, node: str, ask: Ask) -> bool:
        """Ask another node's card; False: there is no way to it."""
        if not self.is_up:
            return False
        self._write(node, order_of(self.node, self._boot, ask))
        return True

    def _replied(self, reply: Reply) -> None:
        ask_id = AskId(reply.number)
        if isinstance(reply.answer, Refusal):
            self._exchange.refused(ask_id, reply.answer)
        else:
            self._exchange.answered(ask_id, reply.answer)

    def _update(self, node: str, emm: Emm) -> None:
        """Pass an EMM on to another node's card."""
        if self.is_up:
            self._write(node, Update(node=self.node, emm=emm))

    def _adopt(self, ecm: Fingerprint, service: Service, meant: Collection[AskId]) -> None:
        self._do(self.claims.adopt(ecm, service, meant, self._loop.time()))
