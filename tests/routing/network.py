"""A whole sharing network in memory, on a simulated clock: real tables, views and routers.

Only the wire between the nodes is played: messages and answers arrive after a link's latency.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from cccamd.cards import Card, CardTable, LocalOffer, SourceId, View, Viewer, difference
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.routing import (
    Abandon,
    Action,
    Ask,
    ClientId,
    CwCache,
    Deliver,
    LoopDetected,
    Refuse,
    Router,
    RouterSettings,
    Settled,
    SourceTraits,
    Store,
    Trace,
    Waiter,
)
from cccamd.setup.cccamcfg import FLine
from cccamd.values import ControlWords, Offer, Provider, Refusal, Request, with_checksums

CAID, IDENT = Caid(0x0B00), Ident(0x030B00)
LATENCY = 0.01
REFRESH_AFTER = 0.05
Outcome = ControlWords | Refusal | None
Behaviour = Callable[[Request, float], tuple[float, Outcome]]
"""What a card does with an ECM at a time: after how long it says what; None: never."""


def cw_of(ecm: bytes) -> ControlWords:
    """The one right answer to an ECM."""
    return ControlWords(with_checksums(hashlib.md5(ecm).digest()))


def decodes(seconds: float = 0.1) -> Behaviour:
    return lambda request, now: (seconds, cw_of(request.section))


def refuses(refusal: Refusal = Refusal.CANNOT_DECODE, seconds: float = 0.02) -> Behaviour:
    return lambda request, now: (seconds, refusal)


def silent(request: Request, now: float) -> tuple[float, Outcome]:
    return 0.0, None


@dataclass(eq=False)
class Node:
    """One server."""

    name: str
    network: "Network"
    settings: RouterSettings
    table: CardTable = field(init=False)
    router: Router = field(init=False)
    cache: CwCache = field(init=False)
    links: list["Link"] = field(default_factory=list)
    sources: dict[SourceId, "Link | Behaviour"] = field(default_factory=dict)
    loops: list[LoopDetected] = field(default_factory=list)
    wakes_at: float | None = None
    refreshing: bool = False

    def __post_init__(self) -> None:
        self.table = CardTable(self.node_id)
        self.router = Router(self.settings)
        self.cache = CwCache()

    @property
    def node_id(self) -> NodeId:
        return NodeId(self.name.encode().rjust(8, b"."))

    def add_card(
        self, behaviour: Behaviour, *, traits: SourceTraits | None = None, **fields: Any
    ) -> SourceId:
        source = self.table.add_source()
        self.sources[source] = behaviour
        self.router.source_ready(source, traits or SourceTraits(), self.network.now)
        defaults = {"caid": CAID, "providers": (Provider(IDENT),), "reshare": 10}
        self.table.add_local(source, LocalOffer(**(defaults | fields)))  # type: ignore[arg-type]
        self.changed()
        return source

    def changed(self) -> None:
        if not self.refreshing:
            self.refreshing = True
            self.network.later(REFRESH_AFTER, self.refresh)

    def refresh(self) -> None:
        self.refreshing = False
        for link in self.links:
            link.tell()

    def perform(self, actions: list[Action]) -> None:
        queue = list(actions)
        while queue:
            match queue.pop(0):
                case Deliver(waiter, cw, trace):
                    self.network.waiters[waiter.token].finish(cw, trace)
                case Refuse(waiter, refusal, trace):
                    self.network.waiters[waiter.token].finish(refusal, trace)
                case Store() as store:
                    self.cache.put(store, self.network.now)
                case Settled():
                    pass
                case Ask() as ask:
                    self.ask(ask)
                case LoopDetected() as loop:
                    self.loops.append(loop)
                case Abandon():
                    pass
        self.arm()

    def arm(self) -> None:
        deadline = self.router.next_deadline()
        if deadline is not None and (self.wakes_at is None or deadline < self.wakes_at):
            self.wakes_at = deadline
            self.network.later(deadline - self.network.now, lambda: self.wake(deadline))

    def wake(self, at: float) -> None:
        if self.wakes_at == at:
            self.wakes_at = None
            self.perform(self.router.handle_deadline(self.network.now))

    def ask(self, ask: Ask) -> None:
        source = self.sources[ask.source]
        self.network.asked(self, source, ask)
        if isinstance(source, Link):
            source.send(ask)
            return
        seconds, outcome = source(ask.request, self.network.now)
        if outcome is not None:
            self.network.later(seconds, lambda: self.outcome(ask, outcome))

    def outcome(self, ask: Ask, outcome: ControlWords | Refusal) -> None:
        now = self.network.now
        if isinstance(outcome, ControlWords):
            self.perform(self.router.answered(ask.ask_id, outcome, now))
        else:
            self.perform(self.router.refused(ask.ask_id, outcome, now))


@dataclass(eq=False)
class Waiting:
    """One request at one node; it checks that it is answered once, and in time."""

    node: "Node"
    ecm: bytes
    cards: frozenset[Card]
    """Those that may serve it."""
    deadline: float
    then: Callable[[ControlWords | Refusal, Trace], None]
    done: bool = False

    @property
    def network(self) -> "Network":
        return self.node.network

    def finish(self, answer: ControlWords | Refusal, trace: Trace) -> None:
        assert not self.done, "answered twice"
        assert self.network.now <= self.deadline + 1e-6, "answered too late"
        self.done = True
        self.then(answer, trace)


class Link:
    """A client of a server: another node, or a receiver."""

    def __init__(
        self, server: Node, client: Node | None, name: str, latency: float, **account: Any
    ) -> None:
        self.server = server
        self.client = client
        self.network = server.network
        self.latency = latency
        self.up = True
        self.account = FLine(**({"line": 1, "user": name, "password": "x"} | account))
        node_id = client.node_id if client else NodeId(name.encode().rjust(8, b"-"))
        self.view = View(server.table, Viewer(account=self.account, node_id=node_id))
        self.told: dict[ShareId, Offer] = {}
        self.source = SourceId(0)
        server.links.append(self)
        if client:
            self.source = client.table.add_source()
            client.sources[self.source] = self
            client.router.source_ready(self.source, SourceTraits(), self.network.now)
            client.table.set_node_id(self.source, server.node_id)
        server.changed()

    def tell(self) -> None:
        """Send the changes of the card list."""
        new = dict(self.view.announcements()) if self.up else {}
        for message in list(difference(self.told, new)):
            self.network.announced(self, message)
            if self.client:
                self.network.later(self.latency, lambda message=message: self.learn(message))
        self.told = new

    def learn(self, message: Offer | ShareId) -> None:
        assert self.client
        if not isinstance(message, Offer):
            self.client.table.remove(self.source, message)
        elif self.up:
            self.client.table.add(self.source, message)
        self.client.changed()

    def send(self, ask: Ask) -> None:
        client = self.client
        assert client
        if not self.up:
            client.outcome(ask, Refusal.PASSING)
            return

        def answer(given: ControlWords | Refusal, trace: Trace) -> None:
            outcome = given if given is not Refusal.LATE else Refusal.PASSING
            self.network.later(self.latency, lambda: client.outcome(ask, outcome))

        def arrive() -> None:
            self.network.carried[client.name, ask] = self.request(ask.request, answer)

        self.network.later(self.latency, arrive)

    def request(
        self, request: Request, then: Callable[[ControlWords | Refusal, Trace], None]
    ) -> Waiting:
        """Bring a request to the server."""
        deadline = self.network.now + self.server.settings.deadline
        cards = self.view.candidates(request).members
        waiter = Waiting(self.server, request.section, cards, deadline, then)
        name = Waiter(ClientId(0), len(self.network.waiters))
        self.network.waiters.append(waiter)
        now, router = self.network.now, self.server.router
        wanted = router.wanted(self.view, request)
        told = self.server.cache.answer(wanted, now, router.vouches)
        if told is not None:
            waiter.finish(told.cw, told.trace(now))
        else:
            self.server.perform(router.request(name, wanted, now))
        return waiter

    def cut(self) -> None:
        """Lose the link; the server sees its client go, the client its cards."""
        assert self.client
        self.up = False
        self.told = {}
        self.client.table.drop_source(self.source)
        self.client.perform(self.client.router.source_lost(self.source, self.network.now))
        self.client.changed()

    def restore(self) -> None:
        assert self.client
        self.up = True
        self.client.router.source_ready(self.source, SourceTraits(), self.network.now)
        self.client.table.set_node_id(self.source, self.server.node_id)
        self.server.changed()


@dataclass(eq=False)
class Reply:
    """What a receiver got for an ECM."""

    request: Request
    asked_at: float
    answer: ControlWords | Refusal | None = None
    trace: Trace | None = None
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        return self.answer == cw_of(self.request.section)


class Network:
    """Nodes, links between them, and a clock that jumps to whatever comes next."""

    def __init__(self, settings: RouterSettings | None = None) -> None:
        self.now = 0.0
        self.settings = settings or RouterSettings()
        self.nodes: dict[str, Node] = {}
        self.waiters: list[Waiting] = []
        self.asks: dict[bytes, list[tuple[str, str, ShareId]]] = defaultdict(list)
        """Of each ECM: which node asked which node, or its own card (`a.1`), for which card."""
        self.questions: dict[tuple[str, bytes], list[Ask]] = defaultdict(list)
        """What each node asked others for each ECM."""
        self.carried: dict[tuple[str, Ask], Waiting] = {}
        """What became of a question at the node that was asked."""
        self._asked_at: dict[tuple[bytes, str, str, ShareId], float] = {}
        self.announcements: list[tuple[Link, Offer]] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def node(self, name: str) -> Node:
        return self.nodes.setdefault(name, Node(name, self, self.settings))

    def link(self, server: str, client: str, *, latency: float = LATENCY, **account: Any) -> Link:
        return Link(self.node(server), self.node(client), client, latency, **account)

    def receiver(self, server: str, name: str = "tv", **account: Any) -> Link:
        return Link(self.node(server), None, name, 0.0, **account)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._queue, (self.now + max(seconds, 0.0), self._count, act))

    def run(self, seconds: float = 30.0) -> None:
        """Let time pass."""
        until = self.now + seconds
        while self._queue and self._queue[0][0] <= until:
            self.now, _, act = heappop(self._queue)
            act()
        self.now = until

    def ask(
        self, receiver: Link, ecm: bytes, *, share_id: int | None = None, sid: int = 1
    ) -> Reply:
        """Let a receiver ask for an ECM; look at the reply after `run`."""
        if share_id is None:
            share_id = next(iter(receiver.view.announcements()), 0)
        request = Request(CAID, IDENT, ShareId(share_id), Sid(sid), ecm)
        reply = Reply(request, self.now)

        def take(answer: ControlWords | Refusal, trace: Trace) -> None:
            reply.answer, reply.trace = answer, trace
            reply.seconds = self.now - reply.asked_at

        receiver.request(request, take)
        return reply

    def asked(self, node: Node, source: "Link | Behaviour", ask: Ask) -> None:
        goal = source.server.name if isinstance(source, Link) else f"{node.name}.{ask.source}"
        edge = (node.name, goal, ask.card.share_id)
        key = (ask.request.section, *edge)
        assert self.now - self._asked_at.get(key, -9.0) >= 1.0, f"{edge} hammered"
        self._asked_at[key] = self.now
        self.asks[ask.request.section].append(edge)
        self.questions[node.name, ask.request.section].append(ask)

    def announced(self, link: Link, message: Offer | ShareId) -> None:
        if isinstance(message, Offer):
            self.announcements.append((link, message))

    def all_answered(self) -> bool:
        return all(waiter.done for waiter in self.waiters)

    def servers_know_each_other(self) -> bool:
        """Whether each server knows which of its clients are servers that it may reach."""
        servers: dict[str, set[str]] = defaultdict(set)
        links = [link for node in self.nodes.values() for link in node.links if link.client]
        for link in links:
            servers[link.client.name].add(link.server.name)
        return all(
            link.client.node_id in link.server.table.nodes
            for link in links
            if link.client.name in reachable(link.server.name, servers)
        )

    def visited_twice(self) -> bool:
        """Whether some request, on one of the ways it took, came to a node a second time."""
        return any(self._comes_back(waiter, frozenset()) for waiter in self.waiters)

    def _comes_back(self, waiter: Waiting, passed: frozenset[str]) -> bool:
        if waiter.node.name in passed:
            return True
        passed |= {waiter.node.name}
        questions = self.questions[waiter.node.name, waiter.ecm]
        asker = waiter.node.name
        carried = (self.carried.get((asker, ask)) for ask in questions if ask.card in waiter.cards)
        return any(self._comes_back(further, passed) for further in carried if further)


def reachable(start: str, goals: dict[str, set[str]]) -> set[str]:
    """What can be reached from a node; itself only if there is a way back."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        for goal in goals.get(todo.pop(), ()):
            if goal not in seen:
                seen.add(goal)
                todo.append(goal)
    return seen
