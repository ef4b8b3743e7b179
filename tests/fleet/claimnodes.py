"""Nodes with real claims, in virtual time: what they play is the engine and the cards."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from cccamd.cards import SourceId
from cccamd.fleet.actions import (
    Claim,
    Claimed,
    EngineBack,
    EngineEvent,
    EngineLost,
    Fetch,
    Fetched,
    Publish,
    Pushed,
    Unwatch,
    Watch,
)
from cccamd.fleet.claims import Claims, Decision, Go, Heard, Prospect
from cccamd.ids import Caid, Ident, NodeId, Sid
from cccamd.routing import AskId
from cccamd.values import CardId, ControlWords, Fingerprint, Service, with_checksums

SERVICE = Service(Caid(0x0B00), Ident(0x030B00), Sid(7))


def ecm(number: int) -> Fingerprint:
    return hashlib.md5(b"%d" % number).digest()


def cw_of(fingerprint: Fingerprint) -> ControlWords:
    return ControlWords(with_checksums(fingerprint))


class PlainSeals:
    """Names that are hashes, and values that anybody can read who knows the name."""

    unread = 0

    def name(self, kind: str, *parts: bytes) -> bytes:
        return hashlib.md5(b"|".join((kind.encode(), *parts))).digest()

    def seal(self, name: bytes, plain: bytes) -> bytes:
        return name + plain

    def unseal(self, name: bytes, value: bytes) -> bytes | None:
        return value[len(name) :] if value.startswith(name) else None


@dataclass(eq=False)
class PlayedEngine:
    """What is kept, who listens; each message takes `seconds` one way, and may be lost."""

    seconds: float = 0.0005
    loses: Callable[[EngineEvent], bool] = lambda event: False
    entries: dict[bytes, tuple[bytes, float]] = field(default_factory=dict)
    listening: dict[bytes, list["Node"]] = field(default_factory=lambda: defaultdict(list))
    commands: int = 0


@dataclass(eq=False)
class Node:
    """One node: clients of it want ECMs, a card of it gives CWs after a while (None: refuses)."""

    world: "World"
    claims: Claims
    engine: PlayedEngine
    card_takes: float | None = 0.1
    local: bool = False
    immediate: bool = False
    sees_others: bool = True
    """Whether its clients may have what cards of others give."""
    orders_of: str | None = None
    """The node whose card it asks; None: its own."""
    knows_not: frozenset[str] = frozenset()
    """Nodes that have not told it of a card that may serve."""
    is_dead: bool = False
    wants: dict[Fingerprint, float] = field(default_factory=dict)
    got: dict[Fingerprint, list[tuple[float, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """When it got which CW, and from whom."""
    asked: list[tuple[float, Fingerprint]] = field(default_factory=list)
    _pending: dict[AskId, Fingerprint] = field(default_factory=dict)
    _count: int = 0

    @property
    def name(self) -> str:
        return self.claims.node

    def want(self, fingerprint: Fingerprint) -> None:
        """A client misses this ECM, and the router wants to ask the card."""
        self.wants[fingerprint] = self.world.now
        self._count += 1
        ask_id = AskId(self._count)
        self._pending[ask_id] = fingerprint
        usual = 0.5 if self.card_takes is None else self.card_takes
        prospect = Prospect(fingerprint, SERVICE, usual, self.local, self.immediate, SourceId(1))
        now = self.world.now
        self.do(self.claims.ask(ask_id, prospect, now, orders_of=self.orders_of))

    def do(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            match decision:
                case Go(ask_id):
                    self._go(ask_id)
                case Heard(_, told):
                    if self.sees_others:
                        self._give(told.fingerprint, told.node)
                case _:
                    self.world.tell_engine(self, decision)
        self.world.set_alarm(self)

    def _go(self, ask_id: AskId) -> None:
        fingerprint = self._pending.get(ask_id)
        if fingerprint is None:
            return
        self.asked.append((self.world.now, fingerprint))
        takes = 0.02 if self.card_takes is None else self.card_takes
        self.world.at(takes, lambda: self._card_says(ask_id, fingerprint))

    def _card_says(self, ask_id: AskId, fingerprint: Fingerprint) -> None:
        if self.is_dead:
            return
        self._pending.pop(ask_id, None)
        self.claims.ended(ask_id, self.world.now)
        if self.card_takes is not None:
            self._give(fingerprint, self.name)
            cw, card = cw_of(fingerprint), CardId(NodeId(self.name.encode()), 1, SERVICE.caid)
            now = self.world.now
            self.do(self.claims.answered(fingerprint, SERVICE, card, cw, now))
        self.world.set_alarm(self)

    def _give(self, fingerprint: Fingerprint, node: str) -> None:
        if self.got[fingerprint]:  # as the router: what is heard twice is for nobody
            return
        self.got[fingerprint].append((self.world.now, node))
        for ask_id, wanted in list(self._pending.items()):
            if wanted == fingerprint and self.claims.forget(ask_id):
                del self._pending[ask_id]
                self.claims.ended(ask_id, self.world.now)


class World:
    """A clock, and what is to come."""

    def __init__(self, seed: int = 0) -> None:
        self.now = 100.0
        self.random = Random(seed)
        self.nodes: list[Node] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, seconds: float, step: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._due, (self.now + seconds, self._count, step))

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            self.now, _, step = heappop(self._due)
            step()
        self.now = until

    def node(self, name: str, engine: PlayedEngine, **what: object) -> Node:
        claims = Claims(name, PlainSeals(), may_serve=lambda node, _: node not in made.knows_not)
        made = Node(self, claims, engine, **what)  # type: ignore[arg-type]
        self.nodes.append(made)
        made.claims.handle(EngineBack(), self.now)
        return made

    def set_alarm(self, node: Node) -> None:
        due = node.claims.next_deadline()
        if due is not None:
            self.at(max(0.0, due - self.now), lambda: self._on_alarm(node))

    def _on_alarm(self, node: Node) -> None:
        if not node.is_dead and (decisions := node.claims.handle_deadline(self.now)):
            node.do(decisions)

    def lose_engine(self, node: Node) -> None:
        node.engine = PlayedEngine(loses=lambda event: True)
        node.do(node.claims.handle(EngineLost(), self.now))

    def tell_engine(self, node: Node, action: Decision) -> None:
        engine = node.engine
        self.at(engine.seconds, lambda: self._serve(node, engine, action))

    def _serve(self, node: Node, engine: PlayedEngine, action: Decision) -> None:
        engine.commands += 1
        entry = None
        match action:
            case Claim(name, value, ms):
                entry = self._entry(engine, name)
                if entry is None:
                    engine.entries[name] = value, self.now + ms / 1000
                self._tell(node, engine, Claimed(name, entry is None, entry))
            case Fetch(name):
                self._tell(node, engine, Fetched(name, self._entry(engine, name)))
            case Publish(name, channel, value, ms):
                if ms:
                    engine.entries[name] = value, self.now + ms / 1000
                for listener in engine.listening[channel]:
                    self._tell(listener, engine, Pushed(channel, name, value))
            case Watch(channel):
                engine.listening[channel].append(node)
            case Unwatch(channel):
                engine.listening[channel].remove(node)

    def _entry(self, engine: PlayedEngine, name: bytes) -> bytes | None:
        value, until = engine.entries.get(name, (None, 0.0))
        return value if self.now < until else None

    def _tell(self, node: Node, engine: PlayedEngine, event: EngineEvent) -> None:
        if not engine.loses(event):
            self.at(engine.seconds, lambda: self._arrive(node, engine, event))

    def _arrive(self, node: Node, engine: PlayedEngine, event: EngineEvent) -> None:
        if not node.is_dead and node.engine is engine:
            node.do(node.claims.handle(event, self.now))
