"""Nodes that tell each other of bans: real penalties and bulletins, played engine and clocks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from claimnodes import PlainSeals

from cccamd.facts import Door
from cccamd.fleet.actions import EngineBack, EngineLost, Publish, Pushed, Watch
from cccamd.fleet.bulletins import BEAT, Bulletins, Counted, Decision
from cccamd.fleet.news import Banned, LoggedIn, Pardoned, Spent
from cccamd.net import Penalties, PenaltyRules, Standing
from cccamd.net.penalties import names_of

GUESSER, OTHER = "203.0.113.7", "198.51.100.9"
BAN = 600.0


@dataclass(eq=False)
class World:
    """An engine, and the time; `holds` may keep a message back."""

    now: float = 5000.0
    nodes: dict[str, "Node"] = field(default_factory=dict)
    told: list[Publish] = field(default_factory=list)
    loses: Callable[[Publish], bool] = lambda sent: False

    def node(self, name: str, clock: float = 0.0, **rules: float) -> "Node":
        """A node whose clock is so many seconds ahead."""
        made = self.nodes[name] = Node(self, name, clock, PenaltyRules(**rules))  # type: ignore[arg-type]
        made.connect()
        return made

    def send(self, sent: Publish) -> None:
        self.told.append(sent)
        if not self.loses(sent):
            for each in list(self.nodes.values()):
                each.hear(sent)

    def pass_by(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 0.25)
            for each in list(self.nodes.values()):
                each.look()


class Node:
    """What a node has of it, without sockets."""

    def __init__(self, world: World, name: str, clock: float, rules: PenaltyRules) -> None:
        self.world, self.name, self.clock = world, name, clock
        self.is_believed = True
        self.watched: set[bytes] = set()
        self.spent: list[Spent] = []
        self.spent_elsewhere: list[Spent] = []
        self.penalties = Penalties(rules, is_near=lambda address: address.startswith("192.168."))
        self.penalties.listener = self
        self.bulletins = Bulletins(
            name,
            f"{name} {clock}",
            PlainSeals(),
            longest=lambda number: self.penalties.rules.length(number),
            trusts=lambda node, now: self.world.nodes[node].is_believed,
            names_of=names_of,
            spending=self._spending,
            forget_spending=self.spent.clear,
        )

    @property
    def now(self) -> float:
        return self.world.now + self.clock

    def connect(self) -> None:
        self.do(self.bulletins.handle(EngineBack(), self.now))

    def lose(self) -> None:
        self.watched.clear()
        self.do(self.bulletins.handle(EngineLost(), self.now))

    def hear(self, sent: Publish) -> None:
        if sent.channel in self.watched:
            pushed = Pushed(sent.channel, sent.name, sent.value)
            self.do(self.bulletins.handle(pushed, self.now))

    def look(self) -> None:
        while (due := self.bulletins.next_deadline()) is not None and due <= self.now:
            self.do(self.bulletins.handle_deadline(self.now))

    def do(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            match decision:
                case Watch(channel):
                    self.watched.add(channel)
                case Publish():
                    if self.bulletins.is_up:
                        self.world.send(decision)
                case Counted(address, user, door, times, pardoned):
                    self.penalties.failed_elsewhere(address, user, self.now, door, times, pardoned)
                case Spent():
                    self.spent_elsewhere.append(decision)
                case LoggedIn(address, user, door):
                    self.penalties.succeeded_elsewhere(address, user, door)
                case Pardoned(who):
                    self.penalties.forget_names((who,))
                case Banned():
                    since, until = decision.since, decision.until
                    self.penalties.ban(
                        decision.who,
                        until - self.now,
                        decision.bans,
                        self.now,
                        ago=self.now - since,
                    )

    def _spending(self, most: int) -> list[Spent]:
        taken, self.spent[:] = self.spent[:most], self.spent[most:]
        return taken

    def guess(self, times: int, address: str = GUESSER) -> None:
        for _ in range(times):
            self.penalties.failed(address, b"anna", self.now)

    def left(self, address: str = GUESSER) -> float:
        """Seconds for which an address is still banned here."""
        return self.penalties.banned(address, self.now)

    # As a listener of its penalties.

    def failed(self, address: str, user: bytes, door: Door) -> None:
        self.bulletins.failed(address, user, door, self.now)

    def succeeded(self, address: str, user: bytes, door: Door) -> None:
        self.bulletins.logged_in(address, user, door)

    def banned(self, ban: Standing) -> None:
        told = Banned(ban.who, ban.last_at, ban.until, ban.bans, ban.tries, ban.doors, ban.user)
        self.bulletins.banned(told)

    def forgot(self, names: Iterable[str]) -> None:
        self.bulletins.pardoned(names, self.now)


def three(**rules: float) -> tuple[World, Node, Node, Node]:
    """Three nodes that know each other; their clocks have nothing in common."""
    world = World()
    found = (
        world.node("north", **rules),
        world.node("south", -4900.0, **rules),
        world.node("west", 1e6, **rules),
    )
    world.pass_by(2 * BEAT)
    return world, *found
