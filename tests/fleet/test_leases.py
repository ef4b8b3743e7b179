"""One F-line is one client on all nodes: leases of nodes with a played engine, in virtual time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from claimnodes import PlainSeals
from hypothesis import given, settings
from hypothesis import strategies as st

from cccamd.fleet.actions import (
    Claim,
    Claimed,
    EngineAction,
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
    Watch,
)
from cccamd.fleet.leases import (
    DOUBT_PATIENCE,
    ENGINE_PATIENCE,
    LEASE,
    Decision,
    End,
    Granted,
    Leases,
    Prove,
    Refused,
)

USER = b"anna"
WAY = 0.001
"""Seconds that each message takes."""
LOOK = 1.5
"""Seconds after which a client that gives no sign of life is dead."""


@dataclass(eq=False)
class World:
    """An engine that can be away from some, and the clock."""

    now: float = 100.0
    entries: dict[bytes, tuple[bytes, float]] = field(default_factory=dict)
    nodes: list["Node"] = field(default_factory=list)
    _later: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def node(self, name: str) -> "Node":
        made = Node(self, Leases(name, PlainSeals()))
        self.nodes.append(made)
        made.connect()
        return made

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._later, (self.now + seconds, self._count, act))

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            deadlines = [d for n in self.nodes if (d := n.leases.next_deadline()) is not None]
            first = min([*deadlines, *(each[0] for each in self._later[:1]), until])
            if first >= until and not (self._later and self._later[0][0] <= until):
                break
            self.now = max(self.now, first)
            if self._later and self._later[0][0] <= self.now:
                heappop(self._later)[2]()
            for node in self.nodes:
                if not node.is_dead:
                    node.do(node.leases.handle_deadline(self.now))
                elif node.leases.next_deadline() is not None:
                    self.nodes.remove(node)
        self.now = until

    def kept(self, name: bytes) -> bytes | None:
        value, until = self.entries.get(name, (b"", 0.0))
        return value if until > self.now else None

    def perform(self, node: "Node", action: EngineAction) -> None:
        if not node.is_connected:
            return
        match action:
            case Claim(name, value, ms):
                won = self.kept(name) is None
                if won:
                    self._keep(name, value, ms)
                node.hear(Claimed(name, won))
            case Fetch(name):
                node.hear(Fetched(name, self.kept(name)))
            case Extend(name, value, ms):
                held = self.kept(name) == value
                if held:
                    self._keep(name, value, ms)
                node.hear(Extended(name, held))
            case Take(name, before, value, ms):
                held = self.kept(name) in (None, before)
                if held:
                    self._keep(name, value, ms)
                node.hear(Extended(name, held))
            case Release(name, value):
                if self.kept(name) == value:
                    del self.entries[name]
            case Publish(name, channel, value, _):
                for each in self.nodes:
                    if channel in each.watched:
                        each.hear(Pushed(channel, name, value))
            case Watch(channel):
                node.watched.add(channel)
            case _:
                raise AssertionError(action)

    def _keep(self, name: bytes, value: bytes, ms: int) -> None:
        self.entries[name] = (value, self.now + ms / 1000)


@dataclass(eq=False)
class Node:
    """Carries out what its leases decide, as a server does."""

    world: World
    leases: Leases
    watched: set[bytes] = field(default_factory=set)
    is_connected: bool = False
    is_dead: bool = False
    clocks_behind: float = 0.0
    """Seconds."""
    waiting: set[int] = field(default_factory=set)
    clients: set[int] = field(default_factory=set)
    lifeless: set[int] = field(default_factory=set)
    """Clients whose machines are off."""
    in_place_of: dict[int, int] = field(default_factory=dict)
    """Who goes when another is let in: this node's own rule has found it dead."""
    outcomes: dict[int, Decision] = field(default_factory=dict)
    at: dict[int, float] = field(default_factory=dict)
    """When it was said."""
    _count: int = 0
    _line: int = 0

    def connect(self) -> None:
        self._line += 1
        self.is_connected = True
        self.do(self.leases.handle(EngineBack(), self.world.now))

    def cut(self) -> None:
        self.is_connected = False
        self._line += 1
        self.watched.clear()
        self.do(self.leases.handle(EngineLost(), self.world.now))

    def hear(self, event: Any) -> None:
        line = self._line

        def come() -> None:
            if not self.is_dead and line == self._line:
                self.do(self.leases.handle(event, self.world.now))

        self.world.after(WAY, come)

    def login(self, logins: int = 1, user: bytes = USER) -> int:
        self._count += 1
        number = self._count
        self.waiting.add(number)
        now = self.world.now
        self.do(self.leases.begin(number, user, logins, now, now - self.clocks_behind))
        return number

    def come_back(self, number: int, logins: int = 1) -> int:
        """The same receiver logs in anew, and its old connection ends when it is in."""
        self.in_place_of[self._count + 1] = number
        return self.login(logins)

    def leave(self, number: int) -> None:
        self.clients.discard(number)
        self.do(self.leases.left(number))

    def do(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            match decision:
                case Granted(number):
                    assert number in self.waiting
                    self.waiting.remove(number)
                    self.clients.add(number)
                    self.outcomes[number], self.at[number] = decision, self.world.now
                    self.leave(self.in_place_of.pop(number, 0))
                case Refused(number):
                    assert number in self.waiting
                    self.waiting.remove(number)
                    self.outcomes[number], self.at[number] = decision, self.world.now
                case End(number):
                    assert number in self.clients
                    self.clients.remove(number)
                    self.outcomes[number], self.at[number] = decision, self.world.now
                case Prove(number):
                    lives = number not in self.lifeless
                    self.world.after(WAY if lives else LOOK, lambda n=number: self.prove(n))
                case _:
                    self.world.after(WAY, lambda action=decision: self.world.perform(self, action))

    def prove(self, number: int) -> None:
        if not self.is_dead:
            lives = number not in self.lifeless
            self.do(self.leases.judged(number, lives, self.world.now))


def two() -> tuple[World, Node, Node]:
    world = World()
    attic, cellar = world.node("attic"), world.node("cellar")
    world.run(0.1)
    return world, attic, cellar


def doubted() -> tuple[World, Node, Node, int, int]:
    """Somebody has just come to the second node for the seat of one at the first, who is dead."""
    world, attic, cellar = two()
    first = attic.login()
    world.run(0.1)
    attic.lifeless.add(first)
    return world, attic, cellar, first, cellar.login()


def test_who_lives_keeps_its_seat_and_the_other_is_told_where() -> None:
    world, attic, cellar = two()
    first = attic.login()
    world.run(0.1)
    assert attic.outcomes[first] == Granted(first)
    second = cellar.login()
    world.run(0.1)
    assert cellar.outcomes[second] == Refused(second, ("attic",))
    world.run(5 * LEASE)
    assert attic.clients == {first}
    attic.leave(first)
    world.run(0.1)
    third = cellar.login()
    world.run(0.1)
    assert cellar.clients == {third}


def test_as_many_seats_as_logins_over_all_nodes() -> None:
    world, attic, cellar = two()
    attic.login(2)
    cellar.login(2)
    world.run(0.1)
    third = attic.login(2)
    world.run(0.1)
    assert (len(attic.clients), len(cellar.clients)) == (1, 1)
    assert isinstance(attic.outcomes[third], Refused)


def test_a_seat_whose_client_is_dead_goes_over() -> None:
    world, attic, cellar, first, second = doubted()
    world.run(2.0)
    assert cellar.outcomes[second] == Granted(second)
    assert attic.outcomes[first] == End(first, "cellar", is_dead=True)
    world.run(2 * LEASE)
    assert (attic.clients, cellar.clients) == (set(), {second})


def test_who_is_asked_about_and_leaves_makes_way_at_once() -> None:
    world, attic, cellar, first, second = doubted()
    world.run(0.1)
    attic.leave(first)
    world.run(0.1)
    assert cellar.outcomes[second] == Granted(second)


def test_who_is_asked_about_and_comes_back_meanwhile_lives() -> None:
    world, attic, cellar, first, second = doubted()
    world.run(0.1)
    again = attic.come_back(first)
    world.run(0.1)
    assert attic.clients == {again}
    assert cellar.outcomes[second] == Refused(second, ("attic",))


def test_the_seat_of_a_node_that_says_nothing_is_taken_and_not_that_of_one_who_lives() -> None:
    world, attic, cellar = two()
    barn = world.node("barn")
    world.run(0.1)
    first = attic.login(2)
    world.run(0.1)
    cellar.login(2)
    world.run(0.1)
    cellar.is_dead = True
    third = barn.login(2)
    world.run(2 * LEASE)
    assert (attic.clients, barn.clients, len(world.entries)) == ({first}, {third}, 2)
    assert set(attic.leases.held()) == {first}


def test_a_lease_is_kept_up_although_one_time_nothing_was_answered() -> None:
    """An engine that lags behind is not told everything."""
    world, attic, _ = two()
    attic.login()
    world.run(5.0)
    attic.is_connected = False
    world.run(10.0)
    attic.is_connected = True
    world.run(LEASE)
    (name,) = world.entries
    assert world.kept(name) is not None


def test_who_comes_back_to_its_node_has_its_seat_from_the_one_that_it_was_at_once() -> None:
    world, attic, cellar = two()
    first = attic.login()
    world.run(3.0)
    again = attic.come_back(first)
    other = cellar.login()  # in the same moment
    world.run(0.1)
    assert (attic.clients, cellar.clients) == ({again}, set())
    assert cellar.outcomes[other] == Refused(other, ("attic",))
    third = attic.come_back(again)
    world.run(2 * LEASE)
    assert (attic.clients, len(world.entries)) == ({third}, 1)


def test_who_comes_back_after_the_engine_forgot_claims_its_seat_at_once() -> None:
    world, attic, cellar = two()
    first = attic.login()
    world.run(1.0)
    world.entries.clear()
    late = cellar.login()
    world.run(1.0)
    attic.clocks_behind = 2.0
    again = attic.come_back(first)
    world.run(1.0)  # and not when a lease is kept up next
    assert (attic.clients, cellar.clients) == ({again}, set())
    assert cellar.outcomes[late] == End(late, "attic", is_dead=False)


def test_a_dead_client_of_its_own_node_makes_way_where_others_have_the_rest() -> None:
    world, attic, cellar = two()
    first = attic.login(2)
    other = cellar.login(2)
    world.run(1.0)
    attic.lifeless.add(first)
    again = attic.login(2)
    world.run(2.0)
    assert attic.outcomes[again] == Granted(again)
    assert (attic.clients, cellar.clients) == ({again}, {other})


def test_a_seat_of_a_node_that_is_dead_goes_over_within_what_clients_wait() -> None:
    world, attic, cellar = two()
    attic.login()
    world.run(0.1)
    attic.is_dead = True
    second, began = cellar.login(), world.now
    world.run(DOUBT_PATIENCE + 0.1)
    assert cellar.outcomes[second] == Granted(second)
    assert cellar.at[second] - began < 2.0


def test_the_same_node_after_a_start_takes_its_own_seats() -> None:
    world, attic, _ = two()
    attic.login()
    world.run(0.1)
    attic.is_dead = True
    world.nodes.remove(attic)
    again = world.node("attic")
    world.run(0.1)
    number = again.login()
    world.run(0.1)
    assert again.clients == {number}


def test_without_an_engine_each_node_is_alone_and_the_earlier_one_stays() -> None:
    world, attic, cellar = two()
    attic.cut()
    cellar.cut()
    late = cellar.login()
    assert cellar.outcomes[late] == Granted(late)  # at once
    world.run(1.0)
    later = attic.login()
    world.run(60.0)
    attic.connect()
    world.run(1.0)  # the later one has the entry first
    cellar.connect()
    world.run(1.0)
    assert attic.outcomes[later] == End(later, "cellar", is_dead=False)
    world.run(LEASE)
    assert (attic.clients, cellar.clients) == (set(), {late})


def test_of_two_that_came_at_the_same_time_in_a_split_the_name_of_the_node_decides() -> None:
    world, attic, cellar = two()
    for node in (attic, cellar):
        node.cut()
        node.login()
    cellar.connect()
    world.run(1.0)
    attic.connect()
    world.run(2 * LEASE)
    assert (len(attic.clients), cellar.clients) == (1, set())


def test_an_earlier_one_that_is_dead_goes_after_a_split() -> None:
    world, attic, cellar = two()
    attic.cut()
    cellar.cut()
    early = cellar.login()
    world.run(1.0)
    late = attic.login()
    cellar.lifeless.add(early)
    attic.connect()
    world.run(1.0)
    cellar.connect()
    world.run(LEASE)
    assert (attic.clients, cellar.clients) == ({late}, set())


def test_an_engine_that_forgets_everything_ends_nobody() -> None:
    world, attic, cellar = two()
    attic.login(2)
    cellar.login(2)
    world.run(1.0)
    world.entries.clear()
    world.run(2 * LEASE)
    assert (len(attic.clients), len(cellar.clients), len(world.entries)) == (1, 1, 2)


def test_an_engine_that_says_nothing_lets_in_after_a_moment() -> None:
    world, attic, _ = two()
    attic.is_connected = False  # nobody has noticed yet
    number, began = attic.login(), world.now
    world.run(1.0)
    assert attic.outcomes[number] == Granted(number)
    assert attic.at[number] - began <= ENGINE_PATIENCE + WAY


def test_who_waits_when_the_engine_is_lost_is_in_at_once() -> None:
    attic = two()[1]
    number = attic.login()
    attic.cut()
    assert attic.outcomes[number] == Granted(number)


STEP = st.tuples(
    st.sampled_from(["login", "back", "leave", "cut", "connect", "die", "wait", "forget"]),
    st.integers(0, 2),
    st.floats(0.0, 12.0),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=25), st.integers(1, 2))
def test_whatever_happens_each_login_is_answered_and_no_account_is_in_twice(
    steps: list[tuple[str, int, float]], logins: int
) -> None:
    world = World()
    nodes = [world.node(name) for name in ("a", "b", "c")]
    is_well = True
    for what, index, seconds in steps:
        node = nodes[index]
        match what:
            case "login" if len(node.clients | node.waiting) < logins:  # its own rule
                node.login(logins)
            case "back" if node.clients and not node.waiting:
                node.come_back(min(node.clients), logins)
            case "leave" if node.clients:
                node.leave(min(node.clients))
            case "cut" if node.is_connected:
                node.cut()
            case "connect" if not node.is_connected:
                node.connect()
            case "die" if node.clients:
                node.lifeless.add(min(node.clients))
            case "wait":
                world.run(seconds)
            case "forget":
                world.entries.clear()
            case _:
                pass
        is_well = is_well and what not in ("cut", "forget")
        assert not is_well or sum(len(node.clients) for node in nodes) <= logins
    for node in nodes:
        if not node.is_connected:
            node.connect()
    world.run(3 * LEASE)
    assert not any(node.waiting for node in nodes)
    assert sum(len(node.clients) for node in nodes) <= logins
    for node in nodes:
        assert set(node.leases.held()) == node.clients
        for number in list(node.clients):
            node.leave(number)
    world.run(0.1)
    assert all(world.kept(name) is None for name in world.entries)
