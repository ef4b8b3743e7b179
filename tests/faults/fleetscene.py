"""Three real nodes around a real engine far away, with one far card, and what their clients see.

Nodes are processes, on machines of their own where there can be some (`fleetground`). The ways to
the engine and to the card are shaped (`Proxy`). Each service is watched by a client at each node;
every second it has a new ECM, for which they ask within some milliseconds of each other, as
receivers do that hear one transmitter.
"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fleetground import Ground, ground
from house import House
from laboratory import TEST_CARD, Laboratory, ask, connect, expected_cw, new_node_id, running
from proxy import Proxy, Way

from cccamd.fleet.keyfile import make_key
from cccamd.net import Client, ConnectError
from cccamd.wire.cccam import ClientProtocol, Target
from redisengine import RedisServer, engine

NODES = ("north", "east", "south")
ENGINE_DELAY, ENGINE_LOSS = 0.02, 0.01
"""20 ms each way, and every hundredth piece comes 200 ms later: what a lost segment does. Where
packets really are lost, the rest is left to TCP."""
CARD_DELAY = 0.15
"""Each way: the card answers after 300 ms."""
PERIOD = 1.0
SPREAD = 0.03
"""Seconds within which the clients of a service ask."""
AHEAD = 0.1
"""Seconds by which the first node's clients are earlier, when that node has to be the claimer."""
PATIENCE = 60.0
GUIDE = Path(__file__).parents[2] / "docs" / "fleet.md"


@dataclass
class Seen:
    """What the clients of some nodes saw."""

    waits: list[float] = field(default_factory=list)
    """Seconds, of those who got the right CW."""
    asked: int = 0
    ecms: int = 0
    at_card: int = 0
    """How often the card was asked meanwhile, by all nodes."""

    def percentile(self, share: float) -> float:
        ordered = sorted(self.waits) or [float("nan")]
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def row(self) -> str:
        """Milliseconds, as in docs/fleet.md."""
        times = " | ".join(f"{1000 * self.percentile(share):.0f}" for share in (0.5, 0.99, 1.0))
        share = f"{self.at_card / self.ecms:.2f}" if self.ecms else ""
        return f"{len(self.waits)} of {self.asked} | {times} | {share}"


@dataclass
class Scene:
    """All of it, running."""

    houses: list[House]
    ways: list[Way]
    engine: RedisServer
    card: Laboratory
    services: int
    ground: Ground
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    clients: dict[tuple[str, int], Client[ClientProtocol]] = field(default_factory=dict)

    async def start(self, name: str) -> None:
        """Have a node there, with all its clients."""
        house = self.houses[NODES.index(name)]
        self.processes[name] = house.start(self.ground.nodes[name].before)
        async with asyncio.timeout(PATIENCE):
            for service in range(self.services):
                self.clients[name, service] = await self._enter(house, f"{name}{service}")

    @staticmethod
    async def _enter(house: House, user: str) -> Client[ClientProtocol]:
        target = Target(host=house.host, port=house.port, user=user.encode(), password=b"secret")
        while True:
            with contextlib.suppress(ConnectError, ConnectionError, OSError):
                client = await connect(target, new_node_id())
                if await client.wait_until(lambda client=client: bool(client.cards), timeout=5.0):
                    return client
                await client.close()
            await asyncio.sleep(0.2)

    def hang(self, name: str, seconds: float) -> None:
        """Stop a node, with all its clients waiting, for a while."""
        process = self.processes[name]
        process.send_signal(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(seconds, process.send_signal, signal.SIGCONT)

    def cut_off(self, name: str, *, cut: bool) -> None:
        """Pull a node's cable to the engine, or put it in again."""
        if not self.ground.nodes[name].cut(cut=cut):
            self.ways[NODES.index(name)].dead = cut

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()
        for key in [key for key in self.clients if key[0] == name]:
            del self.clients[key]

    async def until_together(self) -> None:
        """Until each node knows the others and their cards."""
        async with asyncio.timeout(PATIENCE):
            while not await asyncio.to_thread(self._is_together):
                await asyncio.sleep(0.1)

    def _is_together(self) -> bool:
        try:
            fleets = [house.api("status")["server"]["fleet"] for house in self.houses]
        except OSError:  # this machine is busy
            return False
        return all(
            each["engine_up"] and [node["cards"] for node in each["nodes"]] == [1, 1]
            for each in fleets
        )

    async def watch(
        self,
        seconds: float,
        *groups: Sequence[str],
        act: Callable[[], None] = lambda: None,
        at: float = 0.15,
        first: str = "",
    ) -> list[Seen]:
        """Let all watch for so long; what each group of nodes saw. `act` comes `at` seconds after
        the first ECM; `first`: a node whose clients are earlier than the others."""
        seen = {group: Seen() for group in map(tuple, groups or [NODES])}
        before = self.card.server.snapshot().ecms_total
        loop = asyncio.get_running_loop()
        timer = loop.call_later(at, act)
        ecms = 0
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(max(1, round(seconds / PERIOD))):
                    for service in range(self.services):
                        ecms += 1
                        ecm = b"\x80" + os.urandom(16)
                        for key in [key for key in self.clients if key[1] == service]:
                            wait = random.uniform(0.0, SPREAD)
                            if first and key[0] != first:
                                wait += AHEAD
                            into = [one for names, one in seen.items() if key[0] in names]
                            group.create_task(self._look(key, ecm, wait, into))
                    await asyncio.sleep(PERIOD)
        finally:
            timer.cancel()
        for each in seen.values():
            each.ecms = ecms
            each.at_card = self.card.server.snapshot().ecms_total - before
        return list(seen.values())

    async def _look(
        self, key: tuple[str, int], ecm: bytes, wait: float, into: Sequence[Seen]
    ) -> None:
        client = self.clients[key]
        await asyncio.sleep(wait)
        for each in into:
            each.asked += 1
        began = asyncio.get_running_loop().time()
        try:
            cw = await ask(client, ecm, sid=1 + key[1])
        except (ConnectionError, TimeoutError):
            return
        if cw == expected_cw(ecm):
            for each in into:
                each.waits.append(asyncio.get_running_loop().time() - began)


def rule() -> str:
    """The engine's user, as the page has it."""
    return next(line.strip() for line in GUIDE.read_text().splitlines() if "user cccamd on" in line)


@asynccontextmanager
async def fleet(folder: Path, services: int) -> AsyncIterator[Scene]:
    """Everything started, with its clients inside, and the nodes aware of each other."""
    make_key(folder / "key")
    (folder / "password").write_text("A-LONG-PASSWORD\n")
    (folder / "password").chmod(0o600)
    users = [f"{name}{number}" for name in NODES for number in range(services)]
    accounts = "".join(f"F: {user} secret\n" for user in users)
    links = "".join(f"F: {name} secret\n" for name in NODES)
    async with AsyncExitStack() as stack:
        there = stack.enter_context(ground(NODES))
        server = await stack.enter_async_context(
            engine(
                folder,
                "maxmemory 64mb\nprotected-mode no\n"
                f"user default on nopass resetkeys -@all +info\n{rule()}",
                host=there.engine.wan,
                before=there.engine.before,
            )
        )
        card = await stack.enter_async_context(running(links, TEST_CARD))
        scene = Scene([], [], server, card, services, there)
        middle = there.middle
        for name in NODES:
            line = Proxy(card.port, Way(delay=CARD_DELAY), host=middle.lan)
            way = Way(delay=ENGINE_DELAY, loss=0.0 if there.loses_packets else ENGINE_LOSS)
            far = Proxy(
                server.port,
                way,
                seed=NODES.index(name),
                host=middle.wan,
                target_host=there.engine.wan,
            )
            await stack.enter_async_context(line.open())
            await stack.enter_async_context(far.open())
            own = folder / name
            own.mkdir()
            house = House(own, more=f"{accounts}C: {middle.lan} {line.port} {name} secret\n")
            house.host = there.nodes[name].lan
            house.toml.write_text(
                f'[server]\nbind = ["{house.host}"]\n'
                f'[fleet]\nhost = "{middle.wan}"\nport = {far.port}\n'
                f'user = "cccamd"\npassword_file = "{folder}/password"\n'
                f'key_file = "{folder}/key"\nnode = "{name}"\n'
            )
            scene.houses.append(house)
            scene.ways.append(far.way)
        try:
            await asyncio.gather(*map(scene.start, NODES))
            await scene.until_together()
            yield scene
        finally:
            for client in scene.clients.values():
                await client.close()
            for process in scene.processes.values():
                process.kill()
                process.wait()


class Row(NamedTuple):
    """One line of the table."""

    what: str
    seen: Seen


async def live_through(scene: Scene, seconds: float) -> AsyncIterator[Row]:
    """Everything that may befall a fleet, one after the other; each row as it is known."""
    await scene.watch(3.0)  # times of cards and of the engine are known after that
    (all_of_them,) = await scene.watch(seconds)
    yield Row("all is well", all_of_them)
    (all_of_them,) = await scene.watch(3.0, act=scene.engine.kill)
    yield Row("the engine is killed while all wait (the next 3 s)", all_of_them)
    (all_of_them,) = await scene.watch(seconds)
    yield Row("the engine is away", all_of_them)
    await scene.engine.start()
    began = asyncio.get_running_loop().time()
    await scene.until_together()
    took = asyncio.get_running_loop().time() - began
    (all_of_them,) = await scene.watch(seconds)
    yield Row(f"it is there again, and empty: all are in after {took:.0f} s, and then", all_of_them)
    (all_of_them,) = await scene.watch(3.0, act=partial(scene.engine.signal, signal.SIGSTOP))
    yield Row("the engine hangs (the next 3 s)", all_of_them)
    scene.engine.signal(signal.SIGCONT)
    await scene.until_together()
    inside, outside = NODES[:2], NODES[2:]
    cut = partial(scene.cut_off, NODES[2], cut=True)
    two, one = await scene.watch(seconds, inside, outside, act=cut)
    yield Row("one of three nodes is cut off: clients of the other two", two)
    yield Row("the same: clients of the one that is cut off", one)
    scene.cut_off(NODES[2], cut=False)
    await scene.until_together()
    await scene.watch(3.0)
    hang, begins = partial(scene.hang, NODES[0], 2.0), {"at": AHEAD + 0.1, "first": NODES[0]}
    (others,) = await scene.watch(PERIOD, NODES[1:], act=hang, **begins)
    yield Row("a node hangs between its ask and the answer: clients of the others", others)
    await scene.until_together()
    await scene.watch(3.0)
    kill = partial(scene.kill, NODES[0])
    (others,) = await scene.watch(PERIOD, NODES[1:], act=kill, **begins)
    yield Row("a node is killed between its ask and the answer: clients of the others", others)
