"""One run of a fleet: several whole servers, their engine, cards and viewers, from a seed.

The servers are the real ones, with the way to the engine, what is said there, claims, leases,
letters and seals. The engine is played at the border of its bytes (`simengine`); loop and wires are
those of the other simulation.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final
from unittest.mock import patch

from simbooks import Books
from simcast import ecm_of
from simdiary import Violation
from simengine import PORTS, FakeEngine
from simfleetcast import (
    HONEST,
    LATEST,
    MOODS,
    NAMES,
    QUICK,
    SERVICES,
    SLOWER,
    FleetCard,
    FleetNode,
    Viewer,
    desk_of,
)
from simfleetemms import Carousel
from simfleetguess import Guesses
from simfleetplan import (
    ENGINE,
    TROUBLE,
    fails_only_the_engine,
    fleet_happenings,
    has_emms,
    has_everything,
)
from simledger import DEADLINE, watched
from simloop import BEGAN, SimClock, SimLoop, Stuck, in_its_own_time
from simplan import Happening, left_out
from simwires import SERVER, FakeSocket, Net, Wire

from cccamd.ids import Caid, Ident
from cccamd.net.failures import explain_connect_error
from cccamd.values import Fingerprint, Request
from cccamd.wire.cccam import ServerProtocol, make_node_id

PERIOD: Final = 5.0
SHORTER: Final = 2.5
"""The same in runs that have everything."""
SETTLES: Final = 16.0
"""Seconds after all trouble until all must be well: a seat is claimed again every 10."""
LATE: Final = 0.3
"""Seconds, beside what a card takes, after which everybody has a CW when all is well."""
QUIET: Final = 15.0
"""Seconds in which all has to be well then."""
LOOK: Final = 0.1


@dataclass(frozen=True)
class FleetResult:
    """What came of a run."""

    seed: str
    trace: str
    events: int
    answers: int
    violation: Violation | None
    tail: list[str]
    served: dict[tuple[str, bytes], bool]
    helpless: set[tuple[str, bytes]]
    commands: int


class FleetNet(Net):
    """Knows which wire is whose."""

    world: "FleetWorld"

    def wires_to(self, port: int) -> list[Wire]:
        return [wire for wire in self.wires.values() if wire.caller.peername[1] == port]

    def wires_of(self, node: FleetNode) -> list[Wire]:
        own = self.wires_to(node.port)
        return own + [wire for wire in self.wires.values() if getattr(wire, "node", None) is node]

    async def connect(self, addresses: Any, *, host: str, port: int, patience: float) -> Any:
        """A node calls its engine, or a card: what it calls by says who it is."""
        await asyncio.sleep(self._chance.random() * 0.1)
        node = self.world.nodes[int(host.split(".")[2])]
        if port == PORTS[0]:
            found = self.world.engine_of(node)
            if found is None:
                await asyncio.sleep(patience)
                raise explain_connect_error(TimeoutError(), host=host, port=port)
            port = found.port
        door = self.doors.get(port)
        if door is None:
            refused = ConnectionRefusedError(111, "refused")
            raise explain_connect_error(refused, host=host, port=port)
        wire = self._wire(SERVER, port)
        wire.node = node  # type: ignore[attr-defined]
        wire.slowness = self.world.slowness if port in PORTS else 0.001
        door(wire.called)
        return FakeSocket(wire.caller)


class FleetWorld:
    """One run."""

    def __init__(self, seed: str, *, without: Collection[int] = (), in_fleet: bool = True) -> None:
        self.seed, self.in_fleet = seed, in_fleet
        chance = self.chance = random.Random(f"{seed} world")
        self.clock = SimClock(random.Random(f"{seed} clock"))
        self.books = self.ledger = Books(self.clock.now)
        self.net = FleetNet(seed, self.books.note)
        self.net.world = self
        self.loop = SimLoop(self.clock, self.net, random.Random(f"{seed} loop"))
        self.net.loop = self.loop
        self.loop.between = self._look
        self.far_node = make_node_id(chance.randbytes(4))
        self.is_over = self.is_calm = False
        self.has_everything = has_everything(seed)
        self.quick = SLOWER if self.has_everything else QUICK
        self.length = SHORTER if self.has_everything else PERIOD
        only = self.only_engine = fails_only_the_engine(seed)
        self.may_move = not only
        self.users = [f"u{number}" for number in range(chance.randint(3, 5))]
        self.cards = [
            FleetCard(self, number, HONEST if only else MOODS)
            for number in range(chance.randint(1, 2))
        ]
        self.nodes = [FleetNode(self, number) for number in range(chance.randint(2, len(NAMES)))]
        if not any(node.cards or node.has_card for node in self.nodes):
            self.nodes[0].cards = list(self.cards)
        self.by_node_id = {bytes(node.node_id): node for node in self.nodes}
        users = self.users if only else [*self.users, *self.users[:2]]
        self.viewers = [Viewer(self, number, user) for number, user in enumerate(users)]
        self.engines = [FakeEngine(self, port) for port in PORTS]
        self.slowness = chance.choice((0.0, 0.001, 0.004, 0.03))
        self.cut_off: dict[FleetNode, float] = {}
        self.far_half: set[FleetNode] = set()
        """Those who see the second engine."""
        self.happens = [each for n, each in enumerate(fleet_happenings(seed)) if n not in without]
        self.tasks: set[asyncio.Task[None]] = set()
        self.carousel = Carousel(self) if has_emms(seed) else None
        self._sections: dict[Fingerprint, bytes] = {}
        self._looked_at = 0.0

    def period(self) -> int:
        return int((self.clock.now() - BEGAN) / self.length) + 1

    def failed(self, name: str, error: BaseException) -> None:
        """An error of ours: nothing may cause one."""
        self.books.blame(f"internal error in {name}: {type(error).__name__}: {error}")
        if self.books.first is not None and self.books.first.__cause__ is None:
            self.books.first.__cause__ = error

    def engine_of(self, node: FleetNode) -> FakeEngine | None:
        """Which one a node reaches."""
        if self.loop.time() < self.cut_off.get(node, 0.0):
            return None
        return self.engines[node in self.far_half]

    def section_of(self, fingerprint: Fingerprint, sid: int) -> bytes:
        """What an ECM is that nodes name by a keyed hash."""
        if fingerprint not in self._sections:
            service = next(n for n, each in enumerate(SERVICES) if each[2] == sid)
            caid, ident, _ = SERVICES[service]
            for period in range(max(1, self.period() - 8), self.period() + 2):
                section = ecm_of(service, period)
                request = Request(Caid(caid), Ident(ident), 0, sid, section)  # type: ignore[arg-type]
                for node in self.nodes:
                    if node.server is not None:
                        name = node.server._router.fingerprint_of(request)
                        self._sections[name] = section
        return self._sections.get(fingerprint, b"")

    # The run.

    def run(self) -> FleetResult:
        """Live it through; never raises for what the servers did wrong."""
        chance = random.Random(f"{self.seed} chance")
        logging.disable(logging.CRITICAL)
        report = "cccamd.server.loglines.FailureLog.report"
        with ExitStack() as held:
            held.callback(logging.disable, logging.NOTSET)
            held.enter_context(in_its_own_time(self.clock, self.net, chance))
            held.enter_context(patch("cccamd.fleet.engine.connect", self.net.connect))
            protocol = watched(self.books, ServerProtocol)  # type: ignore[arg-type]
            held.enter_context(patch("cccamd.server.frontdoor.ServerProtocol", protocol))
            held.enter_context(patch(report, lambda _, name, error: self.failed(name, error)))
            held.enter_context(patch("cccamd.server.server.MachineWatch.run", _sleep))
            acknowledged = "cccamd.net.connection.Connection.is_acknowledged"
            held.enter_context(patch(acknowledged, _is_acknowledged))
            self.books.node_of = self.node_of
            self.books.is_owed = self.is_owed
            try:
                self.loop.run_until_complete(self._live())
            except Stuck:
                self.books.blame("nothing would ever have happened any more")
            except Violation as violation:
                self.books.first = self.books.first or violation
            finally:
                self._close_loop()
        books = self.books
        return FleetResult(
            self.seed, books.trace, books.events, books.answers, books.first, books.tail,
            books.served, books.helpless, sum(engine.commands for engine in self.engines),
        )  # fmt: skip

    def _close_loop(self) -> None:
        self.loop.between = lambda: None
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            with suppress(Stuck, RuntimeError):
                self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def _live(self) -> None:
        for node in self.nodes:
            await node.start()
        watching = [self.loop.create_task(viewer.watch()) for viewer in self.viewers]
        for viewer in self.viewers:
            self.loop.call_later(viewer.chance.random(), viewer.connect)
        for each in self.happens:
            await asyncio.sleep(max(0.0, BEGAN + each.at - self.loop.time()))
            self.books.note(each.what)
            self._let(each)
        await asyncio.sleep(max(0.0, BEGAN + TROUBLE - self.loop.time()))
        await self._recover()
        for task in watching:
            task.cancel()
        await self._leave()

    def start(self, work: Any) -> None:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _let(self, happening: Happening) -> None:
        """Let something happen."""
        chance = random.Random(happening.seed)
        seconds = chance.choice((0.3, 1.0, 2.5, 6.0))
        if not any(happening.what == known for known in ENGINE):
            self._let_others(happening.what, chance, seconds)
        else:
            self._let_engine(happening.what, chance, seconds)

    def _let_engine(self, what: str, chance: random.Random, seconds: float) -> None:
        engine, later, node = (
            chance.choice(self.engines),
            self.loop.call_later,
            chance.choice(self.nodes),
        )
        engine = self.engines[0] if not self.far_half else engine
        self.books.trouble_at = self.loop.time() + seconds
        match what:
            case "the engine dies":
                engine.die()
                later(seconds, engine.rise)
            case "the engine forgets":
                engine.forget()
            case "the engine evicts":
                engine.evict()
            case "the engine is slow":
                before, slow = self.slowness, chance.choice((0.05, 0.2, 0.5))
                self._slow_down(slow)
                later(seconds, self._unless_calm, self._slow_down, before)
            case "the engine hangs":
                for wire in self.net.wires_to(engine.port):
                    wire.stop(seconds)
            case "pushes are lost":
                engine.loses = chance.choice((0.2, 1.0))
                later(seconds, self._unless_calm, setattr, engine, "loses", 0.0)
            case "pushes are repeated":
                engine.repeats = 0.5
                later(seconds, self._unless_calm, setattr, engine, "repeats", 0.0)
            case "pushes are late":
                engine.delays = 0.5
                later(seconds, self._unless_calm, setattr, engine, "delays", 0.0)
            case "a node is cut off":
                self.cut_off[node] = self.loop.time() + seconds
                for wire in self._engine_wires([node]):
                    wire.stop(seconds) if chance.random() < 0.5 else wire.cut()
            case "the fleet is split":
                self._split(set(chance.sample(self.nodes, len(self.nodes) // 2)))
                later(seconds, self._unless_calm, self._split, set())
            case "a wire breaks at a byte":
                for wire in self._engine_wires([node]):
                    _break_at(wire, chance.randint(0, 300))

    def _unless_calm(self, act: Callable[..., None], *args: Any) -> None:
        """Undo some trouble, unless all of it was ended meanwhile."""
        if not self.is_calm:
            act(*args)

    def _engine_wires(self, nodes: list[FleetNode]) -> list[Wire]:
        return [
            wire for port in PORTS for wire in self.net.wires_to(port)
            if getattr(wire, "node", None) in nodes
        ]  # fmt: skip

    def _slow_down(self, seconds: float) -> None:
        self.slowness = seconds
        for wire in self._engine_wires(self.nodes):
            wire.slowness = seconds

    def _split(self, far: set[FleetNode]) -> None:
        """Half of the nodes see another engine from now on."""
        moved = self.far_half ^ far
        self.far_half = far
        self.books.trouble_at = max(self.books.trouble_at, self.loop.time())
        for wire in self._engine_wires([node for node in self.nodes if node in moved]):
            wire.cut()

    def _let_others(self, what: str, chance: random.Random, seconds: float) -> None:
        viewer, node = chance.choice(self.viewers), chance.choice(self.nodes)
        match what:
            case "a node is killed" | "a node stops":
                if node.is_up and not node.is_busy:
                    self.start(self._out_and_in(node, seconds, kill=what == "a node is killed"))
            case "a client's line is cut" if viewer.wire is not None:
                viewer.wire.cut()
            case "a client freezes" if viewer.wire is not None:
                viewer.wire.stop(seconds)
            case "a client moves":
                viewer.move(chance)
            case "a client leaves":
                viewer.leave()
            case "a client comes":
                viewer.wanted = True
                viewer.connect()
            case "cards change":
                chance.choice(self.cards).change(chance)
            case "a node reads its files" if node.is_up and not node.is_busy:
                self.start(node.read_files(chance))

    async def _out_and_in(self, node: FleetNode, seconds: float, *, kill: bool) -> None:
        node.is_busy = True
        await node.stop(kill=kill)
        await asyncio.sleep(seconds)
        await node.start()
        node.is_busy = False
        self.books.trouble_at = max(self.books.trouble_at, self.loop.time())

    # The end.

    async def _recover(self) -> None:
        """All trouble ends; a moment later all must be well."""
        self.cut_off.clear()
        for engine in self.engines:
            engine.rise()
            engine.loses = engine.repeats = engine.delays = 0.0
        self.slowness = min(self.slowness, 0.001)
        self._slow_down(self.slowness)
        for card in self.cards:
            card.mood = "right"
        self.is_calm = True
        most = self.chance.choice((1, 1, 2)) if len(self.nodes) > 1 else 1
        self._split(set(self.nodes[: len(self.nodes) // 2]) if most == 2 else set())
        for viewer in self.viewers:
            viewer.wanted = True
            viewer.connect()
        while self.tasks:
            await asyncio.sleep(0.1)
        for node in self.nodes:
            await node.read_files(None)
        await asyncio.sleep(SETTLES)
        since = self.loop.time()
        if self.has_everything and self.in_fleet:
            self.start(Guesses(self).try_everywhere())
        await asyncio.sleep(QUIET)
        most = max(most, len({self.fleet_of(node) for node in self.nodes}))
        self._judge_calm(since, most)

    def _judge_calm(self, since: float, most: int) -> None:
        if not self.in_fleet:
            return
        for node in self.nodes:
            desk = desk_of(node.server)
            assert desk is not None
            if not desk.is_up:
                self.books.blame(f"{node.name} does not see its engine")
        self.books.judge_asks(since, most)
        if self.carousel is not None:
            self.carousel.judge(since)
        if self.has_everything:
            self.books.judge_waits(since, self.quick + LATE)
        inside = {viewer.user for viewer in self.viewers if viewer.is_up}
        for user in set(self.users) - inside:
            self.books.blame(f"{user} is in nowhere")

    async def _leave(self) -> None:
        """Everybody leaves: nothing is left of them."""
        for viewer in self.viewers:
            viewer.leave()
        await asyncio.sleep(12.0)
        for node in self.nodes:
            for name, count in node.left().items():
                if count:
                    self.books.blame(f"{count} {name} are left at {node.name}")
        if self.books.waiting:
            self.books.blame("requests are left")
        for node in self.nodes:
            await node.stop()
        for each in (*self.cards, *self.engines):
            each.die()
        await asyncio.sleep(11.0)
        left = [
            task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()
        ]
        if left:
            self.books.blame(f"tasks are left: {sorted(left)}")
        if self.net.wires or self.net.doors:
            self.books.blame(f"left open: {list(self.net.wires)}, {list(self.net.doors)}")

    # What must hold.

    def fleet_of(self, node: FleetNode) -> tuple[int, bool]:
        """Nodes of which this is the same know of each other when all is well."""
        return node.key, node in self.far_half

    def is_owed(self, node: FleetNode) -> bool:
        """Whether there is a card for the clients of a node when all is well: one of its own, or
        one of a node that is believed, at the same engine."""
        if node.has_card or node.cards:
            return True
        near = [each for each in self.nodes if self.fleet_of(each) == self.fleet_of(node)]
        return any(each.has_card or each.cards for each in near) and not any(
            each.distrusts for each in near
        )

    def node_of(self, protocol: Any) -> FleetNode | None:
        """At which node a client is connected; None: at none any more."""
        for node in self.nodes:
            for guest in node.guests():
                if not guest.is_closed and guest.protocol is protocol:
                    return node
        return None

    def _look(self) -> None:
        """After every event."""
        books = self.books
        books.overdue()
        if self.loop.time() >= self._looked_at + LOOK:
            self._looked_at = self.loop.time()
            for node in self.nodes:
                if trouble := node.too_much():
                    books.blame(f"{node.name} has {trouble}")
            for user in self.users if self.in_fleet and not self.far_half else ():
                fleet = [node for node in self.nodes if node.key == 0]
                books.is_in(user, [node.name for node in fleet if node.seats_of(user)])
        if books.first is not None and not self.is_over:
            self.is_over = True
            raise books.first


def _break_at(wire: Wire, left: int) -> None:
    """Let some bytes more through to the node, and not one after them."""
    end, room = wire.caller, [left]
    take = end._take

    def taking(piece: bytes) -> None:
        if len(piece) >= room[0]:
            take(piece[: room[0]])
            wire.cut()
        else:
            room[0] -= len(piece)
            take(piece)

    end._take = taking  # type: ignore[method-assign]


def _is_acknowledged(connection: Any) -> bool:
    """Whether all that was sent has come out at the other end, as TCP_INFO tells it."""
    end = connection._transport
    return end is not None and not end.is_lost and not end._buffer and not end._flying


async def _sleep(*args: object) -> None:
    await asyncio.sleep(1e9)


def live_through_fleet(seed: str, *, without: Collection[int] = ()) -> FleetResult:
    """Run one seed; one in which only the engine fails a second time, with each node alone."""
    result = FleetWorld(seed, without=without).run()
    if result.violation is not None or not fails_only_the_engine(seed):
        return result
    alone = FleetWorld(seed, without=without, in_fleet=False).run()
    lost = [
        (user, section)
        for (user, section), was in alone.served.items()
        if was
        and not result.served.get((user, section), False)
        and (user, section) not in result.helpless
        and not _is_left_out(int.from_bytes(section[-8:]), seed)
    ]
    violation = alone.violation
    if violation is None and lost:
        (user, section), *_ = lost
        violation = Violation(f"{user} was not served {section.hex()}, and was by a node alone")
    return FleetResult(
        seed, result.trace, result.events + alone.events, result.answers, violation, result.tail,
        result.served, result.helpless, result.commands,
    )  # fmt: skip


def _is_left_out(period: int, seed: str) -> bool:
    """Whether what is served in a period may hang on what has nothing to do with the fleet: in the
    first, logins are under way; what is asked for when all trouble ends is asked of a card before
    or after that, by when its link happens to be up."""
    asked_at = (period - 1) * (SHORTER if has_everything(seed) else PERIOD)
    return period == 1 or asked_at < TROUBLE < asked_at + LATEST + DEADLINE


def shrink_fleet(seed: str, *, tries: int = 200) -> list[int]:
    """Find happenings that can be left out of a run that fails: it fails without them as well."""

    def fails(without: list[int]) -> bool:
        return live_through_fleet(seed, without=without).violation is not None

    return left_out(len(fleet_happenings(seed)), fails, tries)
