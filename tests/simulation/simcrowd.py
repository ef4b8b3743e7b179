"""A fleet as large as it may become: 50 nodes and 100,000 clients in virtual time.

Whole servers would be too heavy. Of each node there are the real claims, leases and seals, that is
all that decides what is asked and what is said to the engine. Of clients there is how many of a
node watch which channel, and when each of them asks. The engine keeps entries and passes messages
on, as quickly as they come; there are no routers, so no hedges, rights, and orders: each node has a
card for each channel.
"""

import random
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Final

from cccamd.cards import SourceId
from cccamd.fleet.actions import (
    Claim,
    Claimed,
    EngineBack,
    EngineLost,
    Extend,
    Extended,
    Fetch,
    Fetched,
    Publish,
    Pushed,
    Release,
    Take,
    Unheard,
    Unwatch,
    Watch,
)
from cccamd.fleet.claims import Claims, Go, Heard, Prospect
from cccamd.fleet.leases import Leases, Prove
from cccamd.fleet.values import Sealer
from cccamd.ids import Caid, Ident, NodeId, Sid
from cccamd.routing import AskId
from cccamd.values import CardId, ControlWords, Service, with_checksums

PERIOD: Final = 10.0
SPREAD: Final = 0.5
"""Seconds within which the receivers of a channel ask."""
CARD: Final = (0.15, 0.35)
"""Seconds that a card takes, from and to."""
WAY: Final = (0.0005, 0.0015)
"""Seconds to the engine, or from it."""
NOTICED: Final = (1.5, 2.0)
"""Seconds after which a node gives up an engine that says nothing."""
BACK: Final = 5.0
"""Seconds within which all nodes have found an engine that is back."""
DEADLINE: Final = 4.5
SETTLES: Final = 25.0
"""Seconds for logins, and for what is to be learnt, before anything is counted."""


@dataclass(eq=False)
class CrowdEngine:
    """What is kept, and who listens."""

    entries: dict[bytes, tuple[bytes, float]] = field(default_factory=dict)
    listening: dict[bytes, dict["CrowdNode", None]] = field(default_factory=dict)
    is_silent: bool = False

    def get(self, name: bytes, now: float) -> bytes | None:
        value, until = self.entries.get(name, (None, 0.0))
        return value if now < until else None


@dataclass
class Seen:
    """What came of the ECMs that came up in one scene."""

    what: str
    began_at: float
    until: float = 0.0
    ecms: int = 0
    asks: int = 0
    unanswered: int = 0
    waits: "array[float]" = field(default_factory=lambda: array("d"))
    commands: Counter[str] = field(default_factory=Counter)
    seconds: Counter[int] = field(default_factory=Counter)
    """Commands of each second."""

    def row(self) -> str:
        waits = sorted(self.waits)
        middle, most = (1000 * waits[int(share * len(waits))] for share in (0.5, 0.99))
        per_ecm = self.commands["ECM"] / max(1, self.ecms)
        seats = self.commands["seat"] / (self.until - self.began_at)
        told = (
            self.what, self.ecms, f"{self.asks / max(1, self.ecms):.2f}", f"{middle:.0f}",
            f"{most:.0f}", f"{1000 * waits[-1]:.0f}", self.unanswered, f"{per_ecm:.1f}",
            f"{seats:.0f}", max(self.seconds.values(), default=0),
        )  # fmt: skip
        return f"| {' | '.join(map(str, told))} |"


class Crowd:
    """All of it, and its clock."""

    def __init__(self, *, nodes: int, clients: int, channels: int, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.now = 1000.0
        self.seals = Sealer(bytes(range(32)))
        self.engine = CrowdEngine()
        self.seen = Seen("before", self.now)
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self.services = [Service(Caid(0x0B00), Ident(1), Sid(sid + 1)) for sid in range(channels)]
        each = clients // nodes
        self.nodes = [CrowdNode(self, number) for number in range(nodes)]
        weights = [1 / (rank + 1) for rank in range(channels)]
        for node in self.nodes:
            node.watching = Counter(self.chance.choices(range(channels), weights, k=each))
            node.come_back(self.engine)
            for seat in range(each):
                self.at(self.chance.random() * 10, node.log_in, seat)
        watched = {channel for node in self.nodes for channel in node.watching}
        for channel in sorted(watched):
            self.at(PERIOD + self.chance.random() * PERIOD, self._ecm, channel, 0)

    def at(self, seconds: float, step: Callable[..., None], *words: Any) -> None:
        self._count += 1
        heappush(self._due, (self.now + seconds, self._count, step, words))

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            self.now, _, step, words = heappop(self._due)
            step(*words)
        self.now = until

    def _ecm(self, channel: int, period: int) -> None:
        """A channel has a new one, and those who watch it ask within a moment."""
        self.at(PERIOD, self._ecm, channel, period + 1)
        fingerprint = channel.to_bytes(8) + period.to_bytes(8)
        self.seen.ecms += 1
        for node in self.nodes:
            if count := node.watching[channel]:
                asked = sorted(self.now + self.chance.random() * SPREAD for _ in range(count))
                want = Want(self.seen, fingerprint, self.services[channel], asked)
                self.at(asked[0] - self.now, node.want, want)

    # What happens.

    def scene(self, what: str, seconds: float) -> Seen:
        """Let time pass; of each ECM that comes up, what becomes of it is counted."""
        self.seen = Seen(what, self.now)
        seen = self.seen
        self.run(seconds)
        seen.until = self.now
        self.seen = Seen("between", self.now)
        self.run(DEADLINE + SPREAD)
        return seen

    def kill_engine(self) -> None:
        self.engine.is_silent = True
        for node in self.nodes:
            self.at(self.chance.uniform(*WAY), node.lose_engine)

    def hang_engine(self, nodes: Iterable["CrowdNode"]) -> None:
        """Nothing comes from it any more for these, and nothing gets there."""
        for node in nodes:
            node.line += 1
            self.at(self.chance.uniform(*NOTICED), node.lose_engine)

    def bring_back(self, nodes: Iterable["CrowdNode"], engine: CrowdEngine) -> None:
        for node in nodes:
            self.at(self.chance.random() * BACK, node.come_back, engine)


@dataclass(eq=False)
class Want:
    """An ECM that clients of a node ask for."""

    seen: Seen
    fingerprint: bytes
    service: Service
    asked: Sequence[float]
    """When each of them does."""
    is_asked: bool = False
    is_served: bool = False

    def serve(self, now: float) -> None:
        """Who asked until now has waited, who asks later does not."""
        if self.is_served:
            return
        self.is_served = True
        waiting = bisect_left(self.asked, now)
        for at in self.asked[:waiting]:
            self.seen.unanswered += now - at > DEADLINE
            self.seen.waits.append(now - at)
        self.seen.waits.extend([0.0] * (len(self.asked) - waiting))


class CrowdNode:
    """One node."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self.crowd, self.name = crowd, f"node{number}"
        self.claims = Claims(self.name, crowd.seals, may_serve=lambda node, service: True)
        self.leases = Leases(self.name, crowd.seals)
        self.engine: CrowdEngine | None = None
        self.line = 0
        """Which connection to an engine it has: what comes over one of before is nothing."""
        self.watching: Counter[int] = Counter()
        self.watched: dict[bytes, None] = {}
        self.card = CardId(NodeId(self.name.encode().ljust(8)), 1, Caid(0x0B00))
        self._wants: dict[AskId, Want] = {}
        self._known: dict[bytes, Want] = {}
        self._count = 0
        self._sent_at = self._told_at = 0.0
        self._alarms: dict[object, float] = {}

    # Its clients.

    def log_in(self, seat: int) -> None:
        now = self.crowd.now
        self.do(self.leases.begin(seat, b"%s %d" % (self.name.encode(), seat), 1, now, now))

    def want(self, want: Want) -> None:
        """The first of its clients asks."""
        if known := self._known.get(want.fingerprint):  # another node has told it
            want.serve(self.crowd.now)
            assert known.is_served
            return
        self._known[want.fingerprint] = want
        self.crowd.at(2 * PERIOD, self._known.pop, want.fingerprint)
        self._count += 1
        ask_id = AskId(self._count)
        self._wants[ask_id] = want
        prospect = Prospect(want.fingerprint, want.service, CARD[1], False, False, SourceId(1))
        self.do(self.claims.ask(ask_id, prospect, self.crowd.now))

    def _go(self, ask_id: AskId) -> None:
        if want := self._wants.get(ask_id):
            want.seen.asks += 1
            self.crowd.at(self.crowd.chance.uniform(*CARD), self._answered, ask_id)

    def _answered(self, ask_id: AskId) -> None:
        want, now = self._wants.pop(ask_id), self.crowd.now
        self.claims.ended(ask_id, now)
        want.serve(now)
        cw = ControlWords(with_checksums(want.fingerprint))
        told = self.claims.answered(want.fingerprint, want.service, self.card, cw, now)
        self.do(told)

    def _hear(self, heard: Heard) -> None:
        fingerprint, now = heard.told.fingerprint, self.crowd.now
        want = self._known.get(fingerprint)
        if want is None:
            kept = Want(self.crowd.seen, fingerprint, heard.service, (), is_served=True)
            self._known[fingerprint] = kept
            self.crowd.at(PERIOD, self._known.pop, fingerprint)
            return
        want.serve(now)
        for ask_id in [each for each, wanted in self._wants.items() if wanted is want]:
            if self.claims.forget(ask_id):
                del self._wants[ask_id]
                self.claims.ended(ask_id, now)

    # Its engine.

    def come_back(self, engine: CrowdEngine) -> None:
        self.engine = engine
        self.line += 1
        for channel in self.watched:
            engine.listening.setdefault(channel, {})[self] = None
        for decider in (self.claims, self.leases):
            self.do(decider.handle(EngineBack(), self.crowd.now))

    def lose_engine(self) -> None:
        if self.engine is None:
            return
        for channel in self.watched:
            self.engine.listening.get(channel, {}).pop(self, None)
        self.engine = None
        self.line += 1
        for decider in (self.claims, self.leases):
            self.do(decider.handle(EngineLost(), self.crowd.now))

    def do(self, decisions: Iterable[Any]) -> None:
        """Carry out what was decided."""
        actions = []
        for decision in decisions:
            match decision:
                case Go(ask_id):
                    self._go(ask_id)
                case Heard():
                    self._hear(decision)
                case Prove(number):
                    self.do(self.leases.judged(number, True, self.crowd.now))
                case (
                    Claim()
                    | Fetch()
                    | Publish()
                    | Watch()
                    | Unwatch()
                    | Extend()
                    | Release()
                    | Take()
                ):
                    actions.append(decision)
        if actions:
            self._say(actions)
        for decider in (self.claims, self.leases):
            self._set_alarm(decider)

    def _set_alarm(self, decider: Claims | Leases) -> None:
        due, crowd = decider.next_deadline(), self.crowd
        if due is None or crowd.now < self._alarms.get(decider, 0.0) <= due:
            return
        self._alarms[decider] = max(due, crowd.now)
        crowd.at(max(0.0, due - crowd.now), self._on_alarm, decider, self._alarms[decider])

    def _on_alarm(self, decider: Claims | Leases, at: float) -> None:
        if self._alarms.get(decider) == at:
            del self._alarms[decider]
            self.do(decider.handle_deadline(self.crowd.now))

    def _say(self, actions: list[Any]) -> None:
        for action in actions:
            match action:
                case Watch(channel):
                    self.watched[channel] = None
                case Unwatch(channel):
                    self.watched.pop(channel, None)
        if self.engine is not None:
            crowd = self.crowd
            self._sent_at = max(self._sent_at, crowd.now + crowd.chance.uniform(*WAY))
            crowd.at(self._sent_at - crowd.now, self._arrived, actions, self.line)

    def _arrived(self, actions: list[Any], line: int) -> None:
        engine = self.engine
        if engine is None or engine.is_silent or line != self.line:
            return
        events = [event for action in actions if (event := self._serve(engine, action)) is not None]
        if events:
            self.tell(events)

    def tell(self, events: list[Any]) -> None:
        """What the engine says gets here a moment later, in order."""
        crowd = self.crowd
        self._told_at = max(self._told_at, crowd.now + crowd.chance.uniform(*WAY))
        crowd.at(self._told_at - crowd.now, self._told, events, self.line)

    def _told(self, events: list[Any], line: int) -> None:
        if line == self.line:
            for event in events:
                for decider in (self.claims, self.leases):
                    self.do(decider.handle(event, self.crowd.now))

    def _serve(self, engine: CrowdEngine, action: Any) -> Any:
        """What the engine does, and answers."""
        now = self.crowd.now
        self._count_command(action)
        match action:
            case Claim(name, value, ms):
                kept = engine.get(name, now)
                if kept is None:
                    engine.entries[name] = value, now + ms / 1000
                return Claimed(name, kept is None, kept)
            case Fetch(name):
                return Fetched(name, engine.get(name, now))
            case Extend(name, value, ms):
                held = engine.get(name, now) == value
                if held:
                    engine.entries[name] = value, now + ms / 1000
                return Extended(name, held)
            case Take(name, before, value, ms):
                held = engine.get(name, now) in (None, before)
                if held:
                    engine.entries[name] = value, now + ms / 1000
                return Extended(name, held)
            case Publish(name, channel, value, ms):
                if ms:
                    engine.entries[name] = value, now + ms / 1000
                listening = engine.listening.get(channel, {})
                for node in listening:
                    node.tell([Pushed(channel, name, value)])
                return None if ms or listening else Unheard(channel)
            case Watch(channel):
                engine.listening.setdefault(channel, {})[self] = None
            case Unwatch(channel):
                engine.listening.get(channel, {}).pop(self, None)
        return None

    def _count_command(self, action: Any) -> None:
        seen = self.crowd.seen
        kind = "ECM"
        if isinstance(action, Extend | Take | Release) or (
            isinstance(action, Claim) and action.ms > 1000 * PERIOD
        ):
            kind = "seat"
        count = 2 if isinstance(action, Publish) and action.ms else 1
        seen.commands[kind] += count
        seen.seconds[int(self.crowd.now)] += count


HEAD: Final = (
    "| what happens | ECMs | asks each | median ms | 99 % | longest | too late | commands for each "
    "ECM | for seats, a second | most in a second |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
)


def live_through_crowd(crowd: Crowd, seconds: float) -> Iterable[Seen]:
    """What may befall a fleet, one after the other."""
    crowd.run(SETTLES)
    yield crowd.scene("all is well", seconds)
    crowd.kill_engine()
    yield crowd.scene("the engine is killed, and away", seconds)
    crowd.engine = CrowdEngine()
    crowd.bring_back(crowd.nodes, crowd.engine)
    yield crowd.scene("it is back, and empty", seconds)
    yield crowd.scene("after that", seconds)
    crowd.hang_engine(crowd.nodes)
    yield crowd.scene("it hangs, is given up, and is away", seconds)
    crowd.bring_back(crowd.nodes, crowd.engine)
    crowd.run(2 * PERIOD)
    few = crowd.nodes[: len(crowd.nodes) // 5]
    crowd.hang_engine(few)
    yield crowd.scene("a fifth of the nodes is cut off", seconds)
    crowd.bring_back(few, crowd.engine)
    yield crowd.scene("these are back", seconds)
    half = crowd.nodes[: len(crowd.nodes) // 2]
    for node in half:
        node.lose_engine()
    crowd.bring_back(half, CrowdEngine())
    crowd.run(PERIOD)
    yield crowd.scene("two halves, each with an engine of its own", seconds)
