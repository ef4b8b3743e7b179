"""Live through hours of load and faults at once, and write docs/soak.md.

Usage: python scripts/soak.py [--hours H] [--rate R] [--receivers N] [--seed N]
                              [--skip NAME ...] [--out FILE]

The server is `cccamd serve` in a process of its own with everything on: pages, telnet, metrics,
journal. Two sources are servers of their own, too. Receivers log in, watch, zap, and leave, some
without a word; sources stall (SIGSTOP), die (SIGKILL) and come back; the ways to them become far,
lossy, narrow or silent; the wall clock jumps, and the journal's disk takes nothing for a while
(both by tests/faults/shim.c, where there is a compiler); the configuration changes
under the server, sometimes to one that cannot be used; strangers say rubbish, halves of messages,
or nothing, on all ports, from other addresses than the receivers; viewers take pages, metrics and
the live stream. Every control word is checked. What happens when is drawn from the seed.

At rate 2 everybody does twice as much in an hour; time-outs, and what a fault lasts, stay.

A sample is taken every ten seconds; scripts/soak_report.py makes the report and its verdict.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

sys.path.append(str(Path(__file__).parent.parent / "tests"))
sys.path.append(str(Path(__file__).parent.parent / "tests" / "server"))
sys.path.append(str(Path(__file__).parent.parent / "tests" / "faults"))

import psutil
import shim
from proxy import Proxy, Way
from soak_report import Sample, Story, report

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.net import Client, ConnectError, ConnectionLost, TaskSet
from cccamd.values import CW_LENGTH, ControlWords, Request, with_checksums
from cccamd.wire.cccam import Caller, ClientProtocol, Identity, Target, make_node_id

HOST: Final = "127.0.0.1"
PORT, PAGES, TELNET, FAR = 13101, 17101, 17102, (13111, 13112)
SAMPLE_EVERY: Final = 10.0
REPORT_EVERY: Final = 300.0
REST: Final = 90.0
"""Seconds that the server is left alone before the sample at rest: longer than any time-out."""
LOCAL, BOTH, SECOND = Caid(0x7F00), Caid(0x7F01), Caid(0x7F02)
"""A card of the server's own; one that both sources have; one that only the second has."""
CHANNELS: Final = 30
PERIOD: Final = 5.0
FAULT_SHADOW: Final = 15.0
"""Seconds after a fault in which a refusal is still put down to it."""


def card(caid: Caid) -> str:
    """A `test` card in cccamd.toml."""
    return f'[[card]]\nkind = "test"\ncaid = "{caid:04X}"\n'


def serve(folder: Path, **more: str) -> subprocess.Popen[bytes]:
    """Start a server, perhaps with more environment; its log grows through all its lives."""
    command = [sys.executable, "-m", "cccamd", "serve", "-C", "CCcam.cfg", "-n", "node-id"]
    with (folder / "log").open("a") as log:
        env = {**os.environ, **more}
        return subprocess.Popen(command, cwd=folder, stderr=log, stdout=log, env=env)


@dataclass
class Counts:
    """What became of the ECMs, and what was done to the server."""

    right: int = 0
    wrong: int = 0
    refused_in_fault: int = 0
    refused: int = 0
    """With every source well, for a quarter of a minute and more."""
    refused_local: int = 0
    """By the server's own card, which no fault touches."""
    unanswered: int = 0
    lost: int = 0
    """The connection ended first, and not by us."""
    done: Counter[str] = field(default_factory=Counter)
    """Logins, faults, attacks, views, by name."""


class World:
    """The servers, their files, and what is known of all that happens."""

    def __init__(
        self, folder: Path, receivers: int, chance: random.Random, rate: float = 1.0
    ) -> None:
        self.folder, self.chance, self.rate = folder, chance, rate
        self.period = PERIOD / rate
        self.near = folder / "near"
        self.far = (folder / "far0", folder / "far1")
        self.accounts = [f"receiver{number}" for number in range(receivers)]
        self.counts = Counts()
        self.server: subprocess.Popen[bytes]
        self.sources: dict[int, subprocess.Popen[bytes]] = {}
        self.ways = tuple(Proxy(port, seed=port) for port in FAR)
        """They lead from the server to its sources."""
        self.clock, self.frozen = folder / "clock", folder / "frozen"
        """By how much its wall clock is off; is there while its disk takes nothing."""
        self.clock.write_bytes(bytes(8))
        self.faulty_until = 0.0
        for number, cards in enumerate(((BOTH,), (BOTH, SECOND))):
            self._write_far(number, cards)
        self.near.mkdir()

    def start_server(self) -> None:
        """Start the server; its disk and its clock may fail, where there is a compiler."""
        more = {}
        if not shim.WHY_NOT:
            more = {
                "LD_PRELOAD": str(shim.build(self.folder)),
                "FAULT_DISK": str(self.near / "journal"),
                "FAULT_FROZEN": str(self.frozen),
                "FAULT_CLOCK": str(self.clock),
            }
        self.configure()
        self.server = serve(self.near, **more)

    def _write_far(self, number: int, cards: Iterable[Caid]) -> None:
        folder = self.far[number]
        folder.mkdir()
        (folder / "CCcam.cfg").write_text(
            f"SERVER LISTEN PORT : {FAR[number]}\nF: near secret\n"
            "ALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
        )
        (folder / "cccamd.toml").write_text(bound() + "".join(map(card, cards)))

    def configure(self, *, more: int = 0, lines: str = "", toml: str = "") -> None:
        """Write the files of the server; `more` accounts are added to the usual ones."""
        accounts = [*self.accounts, "mallory", *(f"guest{number}" for number in range(more))]
        clines = "".join(f"C: {HOST} {way.port} near secret\n" for way in self.ways)
        (self.near / "CCcam.cfg").write_text(
            f"SERVER LISTEN PORT : {PORT}\nWEBINFO LISTEN PORT : {PAGES}\n"
            f"TELNETINFO LISTEN PORT : {TELNET}\nALLOW TELNETINFO : yes\n"
            + "".join(f"F: {account} secret\n" for account in accounts)
            + (lines or clines)
        )
        (self.near / "cccamd.toml").write_text(bound() + toml + card(LOCAL))

    def start_source(self, number: int) -> None:
        """Start a source, for the first time or again."""
        self.sources[number] = serve(self.far[number])

    def fault(self, seconds: float) -> None:
        """Refusals are to be expected for so long."""
        until = time.monotonic() + seconds + FAULT_SHADOW
        self.faulty_until = max(self.faulty_until, until)

    @property
    def faulty(self) -> bool:
        return time.monotonic() < self.faulty_until


def bound() -> str:
    """Nothing of this is to be reached from outside."""
    return f'[server]\nbind = ["{HOST}"]\n'


# Receivers.


def expected(section: bytes) -> bytes:
    """What every `test` card answers."""
    return with_checksums(sha256(section).digest()[:CW_LENGTH])


async def log_in(user: str, password: str = "secret") -> Client[ClientProtocol]:
    """Log in as a client with extended mode or without, by the name's sum."""
    plain = sum(user.encode()) % 2
    number = sha256(user.encode()).digest()
    node_id = NodeId(b"\x11" + number[:7]) if plain else make_node_id(number[:4])
    target = Target(host=HOST, port=PORT, user=user.encode(), password=password.encode())
    return await Client.connect(HOST, PORT, Caller(target, Identity(node_id, "soak")))


async def receive(world: World, user: str) -> None:
    """Be a receiver for ever: log in, watch some channels, leave, come back."""
    chance = random.Random(f"{world.chance.random()}{user}")
    await asyncio.sleep(chance.uniform(0, world.period))
    while True:
        try:
            client = await log_in(user)
        except (ConnectError, OSError):
            world.counts.done["logins that failed"] += 1
            await asyncio.sleep(chance.uniform(1, 5))
            continue
        world.counts.done["logins"] += 1
        try:
            for _ in range(chance.randint(1, 8)):
                await watch(world, client, chance)
            world.counts.done["logouts"] += 1
        except ConnectionLost:
            world.counts.lost += 1
        finally:
            await leave(client, chance)
        await asyncio.sleep(chance.expovariate(world.rate / 5))


async def watch(world: World, client: Client[ClientProtocol], chance: random.Random) -> None:
    """Watch one channel for a while; now and then zap through many, or ask in a burst."""
    caid = chance.choice((LOCAL, BOTH, BOTH, SECOND))
    sid = Sid(chance.randint(1, CHANNELS))
    world.counts.done["channels watched"] += 1
    if chance.random() < 0.1:
        world.counts.done["bursts of distinct ECMs"] += 1
        sections = [b"\x80" + chance.randbytes(149) for _ in range(20)]
        await asyncio.gather(*(ask(world, client, LOCAL, sid, section) for section in sections))
    for _ in range(chance.choice((1, 1, 3, 10, 30))):
        period = int(time.monotonic() / world.period)  # the same for all who watch it
        section = bytes([0x80 + period % 2]) + sha256(f"{caid}{sid}{period}".encode()).digest() * 4
        await ask(world, client, caid, sid, section)
        await asyncio.sleep(world.period * chance.uniform(0.8, 1.2))


async def ask(
    world: World, client: Client[ClientProtocol], caid: Caid, sid: Sid, section: bytes
) -> None:
    """Ask one ECM and count what becomes of it."""
    counts = world.counts
    share_id = next((share for share, each in client.cards.items() if each.caid == caid), 0)
    request = Request(caid, Ident(0), ShareId(share_id), sid, section)
    faulty = world.faulty
    try:
        answer = await client.ask(request)
    except TimeoutError:
        counts.unanswered += 1
        return
    if isinstance(answer, ControlWords):
        if answer.raw == expected(section):
            counts.right += 1
        else:
            counts.wrong += 1
    elif caid == LOCAL:
        counts.refused_local += 1
    elif faulty or world.faulty:
        counts.refused_in_fault += 1
    else:
        counts.refused += 1


async def leave(client: Client[ClientProtocol], chance: random.Random) -> None:
    """Log out, or be switched off: a reset and no word."""
    if chance.random() < 0.3:
        transport = client._connection._transport
        if transport is not None:
            reset(transport.get_extra_info("socket"))
    await client.close()


def reset(sock: socket.socket) -> None:
    """Let its close be a reset."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# Faults.


async def stall(world: World) -> None:
    """A source says nothing any more, its connections stand."""
    number, seconds = world.chance.randrange(2), world.chance.uniform(3, 25)
    world.fault(seconds)
    world.sources[number].send_signal(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    world.sources[number].send_signal(signal.SIGCONT)
    world.fault(0)


async def kill(world: World) -> None:
    """A source dies at once and comes back later."""
    number, seconds = world.chance.randrange(2), world.chance.uniform(1, 30)
    world.fault(seconds + 30)  # until it is dialled again
    world.sources[number].kill()
    world.sources[number].wait()
    await asyncio.sleep(seconds)
    world.start_source(number)


async def reload_more(world: World) -> None:
    """Accounts come and go."""
    world.configure(more=world.chance.randint(1, 200))
    await _hang_up(world)


async def reload_fewer_sources(world: World) -> None:
    """One source is taken out."""
    world.fault(60)
    world.configure(lines=f"C: {HOST} {world.chance.choice(world.ways).port} near secret\n")
    await _hang_up(world)


async def reload_other_limits(world: World) -> None:
    """Settings of every kind change."""
    chance = world.chance
    world.configure(
        toml=f"[limits]\nqueue_limit = {chance.randint(30, 90)}\nanswer_timeout = 6.0\n"
        f"[cache]\nseconds = {chance.uniform(5, 30):.1f}\n"
        f"[routing]\nhedge = {chance.choice(('true', 'false'))}\n"
    )
    await _hang_up(world)


async def reload_unusable(world: World) -> None:
    """Somebody saves half a file."""
    (world.near / "cccamd.toml").write_text("[limits\nqueue_limit = ")
    await _hang_up(world)


async def _hang_up(world: World) -> None:
    world.server.send_signal(signal.SIGHUP)
    await asyncio.sleep(world.chance.uniform(5, 20))
    world.configure()
    world.server.send_signal(signal.SIGHUP)
    await asyncio.sleep(2)


async def bad_way(world: World) -> None:
    """The way to a source becomes far, lossy, narrow or silent for a while."""
    chance, proxy = world.chance, world.chance.choice(world.ways)
    seconds = chance.uniform(5, 40)
    world.fault(seconds + 65)  # a link that was given up is back by then
    proxy.way = chance.choice(
        (Way(delay=1.0), Way(loss=0.3, resent=1.0), Way(piece=3), Way(rate=2000.0), Way(dead=True))
    )
    await asyncio.sleep(seconds)
    proxy.way = Way()


async def clock_jumps(world: World) -> None:
    """The wall clock of the server's machine is set forward or back, and right again later."""
    off = world.chance.choice((-8_640_000, -3600, 3600, 8_640_000))
    with world.clock.open("r+b") as file:
        file.write(struct.pack("=q", off))
    await asyncio.sleep(world.chance.uniform(5, 30))
    with world.clock.open("r+b") as file:
        file.write(bytes(8))


async def disk_takes_nothing(world: World) -> None:
    """The journal cannot be written for a while."""
    world.frozen.touch()
    await asyncio.sleep(world.chance.uniform(5, 40))
    world.frozen.unlink()


FAULTS: Final = (
    *(stall, kill, stall, kill, bad_way, bad_way),
    *(() if shim.WHY_NOT else (clock_jumps, disk_takes_nothing)),
    *(reload_more, reload_fewer_sources, reload_other_limits, reload_unusable),
)


# Strangers. They come from other addresses than the receivers.


async def stranger(
    world: World, port: int, first: bytes, *, reads: bool = True, seconds: float = 20
) -> None:
    """Connect, say something, hear what comes, go without a word."""
    address = f"127.66.{world.chance.randrange(4)}.{world.chance.randrange(1, 250)}"
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(HOST, port, local_addr=(address, 0))
            try:
                writer.write(first)
                await writer.drain()
                while reads and await reader.read(4096):
                    pass
                await asyncio.sleep(0 if reads else seconds)
            finally:
                reset(writer.get_extra_info("socket"))
                writer.transport.abort()


async def garbage(world: World) -> None:
    await stranger(world, PORT, world.chance.randbytes(world.chance.choice((1, 20, 40, 5000))))


async def silence(world: World) -> None:
    await stranger(world, PORT, b"", seconds=world.chance.uniform(1, 30))


async def wrong_password(world: World) -> None:
    with contextlib.suppress(ConnectError, OSError):
        user = world.chance.choice((world.accounts[0], "mallory", "nobody"))
        client = await log_in(user, "guess")
        await client.close()


async def hasty(world: World) -> None:
    """Proof and user name, and more behind them than any login has, in one piece."""
    address = f"127.66.9.{world.chance.randrange(1, 250)}"
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection(HOST, PORT, local_addr=(address, 0))
            protocol = ClientProtocol(
                user=b"mallory", password=b"secret", node_id=NodeId(bytes(8)), program="", now=0.0
            )
            protocol.receive_data(await reader.readexactly(16), 0.0)
            writer.write(protocol.data_to_send()[:40] + bytes(5000))
            while await reader.read(4096):
                pass
            writer.transport.abort()


async def half_a_frame(world: World) -> None:
    """Log in, say half a message or rubbish, wait, and go without a word."""
    with contextlib.suppress(ConnectError, ConnectionLost, OSError):
        client = await log_in("mallory")
        try:
            transport = client._connection._transport
            if transport is not None:
                transport.write(world.chance.randbytes(world.chance.choice((3, 50, 2000))))
                await asyncio.sleep(world.chance.uniform(1, 20))
                reset(transport.get_extra_info("socket"))
        finally:
            await client.close()


async def web_garbage(world: World) -> None:
    said = (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"POST /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n12",
        b"GET /%00/../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HT",
        world.chance.randbytes(500),
        b"",
    )
    await stranger(world, PAGES, world.chance.choice(said))


async def telnet_garbage(world: World) -> None:
    await stranger(world, TELNET, world.chance.choice((world.chance.randbytes(300), b"info", b"")))


STRANGERS: Final = (
    *(garbage, silence, wrong_password, hasty, half_a_frame, web_garbage, telnet_garbage),
)


# Viewers.


async def fetch(path: str, *, seconds: float = 20.0) -> bytes:
    """GET a page, or what a stream says in so many seconds."""
    said = bytearray()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(HOST, PAGES)
            try:
                host = f"Host: {HOST}:{PAGES}\r\nConnection: close\r\n\r\n"
                writer.write(f"GET {path} HTTP/1.1\r\n{host}".encode())
                while data := await reader.read(65536):
                    said += data
            finally:
                writer.close()
    return bytes(said)


async def view_page(world: World) -> None:
    paths = ("/", "/api/status", "/api/cards", "/api/history?span=minutes", "/api/freezes")
    said = await fetch(world.chance.choice(paths))
    world.counts.done["pages that failed"] += not said.startswith(b"HTTP/1.1 200")


async def view_live(world: World) -> None:
    said = await fetch("/live/events", seconds=world.chance.uniform(5, 60))
    world.counts.done["live views that failed"] += not said.startswith(b"HTTP/1.1 200")


async def ask_telnet(world: World) -> None:
    await stranger(world, TELNET, b"clients\nservers\nquit\n")


VIEWERS: Final = (view_page, view_page, view_live, ask_telnet)


# All of it together.

Deed = Callable[[World], Awaitable[None]]


async def again_and_again(world: World, deeds: tuple[Deed, ...], kind: str, pause: float) -> None:
    """Do one of these, wait, do another."""
    while True:
        await asyncio.sleep(world.chance.expovariate(world.rate / pause))
        deed = world.chance.choice(deeds)
        world.counts.done[f"{kind}: {deed.__name__.replace('_', ' ')}"] += 1
        await deed(world)


async def take_samples(world: World, story: Story, started: float) -> None:
    """Note what the server looks like, every ten seconds."""
    with (world.folder / "samples.jsonl").open("w") as file:
        while True:
            story.samples.append(await sample(world, time.monotonic() - started))
            file.write(json.dumps(asdict(story.samples[-1])) + "\n")
            file.flush()
            await asyncio.sleep(SAMPLE_EVERY)


async def sample(world: World, at: float) -> Sample:
    """What the process and its metrics say now."""
    process = psutil.Process(world.server.pid)
    numbers = metrics((await fetch("/metrics")).decode(errors="replace"))
    with process.oneshot():
        times = process.cpu_times()
        return Sample(
            at=at,
            rss=process.memory_info().rss,
            descriptors=process.num_fds(),
            threads=process.num_threads(),
            tasks=int(numbers.get("cccamd_tasks", -1)),
            clients=int(
                numbers.get('cccamd_clients{state="active"}', 0)
                + numbers.get('cccamd_clients{state="idle"}', 0)
            ),
            pending=int(numbers.get("cccamd_logins_pending", -1)),
            cpu=times.user + times.system,
            log=(world.near / "log").stat().st_size,
            journal=sum(each.stat().st_size for each in world.near.glob("journal.db*")),
            right=world.counts.right,
        )


def metrics(text: str) -> dict[str, float]:
    """The series of an exposition."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line[:7] == "cccamd_")
    return {name: float(value) for name, _, value in lines}


async def tell_so_far(world: World, story: Story, tell: Callable[[Story], bool]) -> None:
    """Who waits for hours may look at what there is."""
    while True:
        await asyncio.sleep(REPORT_EVERY)
        story.log = (world.near / "log").read_text(errors="replace")
        tell(story)


async def soak(
    world: World, seconds: float, skip: frozenset[str], tell: Callable[[Story], bool]
) -> Story:
    """Run it all for so long, then let the server rest, and stop it."""
    story = Story(counts=world.counts)
    for number in range(len(FAR)):
        world.start_source(number)
    ways = AsyncExitStack()
    for way in world.ways:
        await ways.enter_async_context(way.open())
    world.start_server()
    try:
        await asyncio.sleep(10)
        for _ in range(20):  # what a first page loads is no leak
            await view_page(world)
        await asyncio.sleep(20)
        started = time.monotonic()
        story.rest_before = await sample(world, 0.0)
        tasks = TaskSet(on_failure=lambda name, error: story.troubles.append(f"{name}: {error!r}"))
        sampling = tasks.start("samples", take_samples(world, story, started))
        tasks.start("report", tell_so_far(world, story, tell))
        actors = TaskSet(on_failure=lambda name, error: story.troubles.append(f"{name}: {error!r}"))
        for user in world.accounts:
            actors.start(user, receive(world, user))
        strangers = tuple(deed for deed in STRANGERS if deed.__name__ not in skip)
        for number in range(3):
            actors.start(f"strangers {number}", again_and_again(world, strangers, "stranger", 10))
        for number in range(2):
            actors.start(f"viewers {number}", again_and_again(world, VIEWERS, "view", 10))
        actors.start("faults", again_and_again(world, FAULTS, "fault", 30))
        while time.monotonic() < started + seconds and world.server.poll() is None:
            await asyncio.sleep(1)
        await actors.cancel()
        sampling.cancel()
        for source in world.sources.values():
            source.send_signal(signal.SIGCONT)
        if world.server.poll() is None:
            await asyncio.sleep(REST)
            story.rest_after = await sample(world, time.monotonic() - started)
        await tasks.cancel()
    finally:
        world.frozen.unlink(missing_ok=True)
        await stop(world, story)
        await ways.aclose()
    story.log, story.ended = (world.near / "log").read_text(errors="replace"), True
    return story


async def stop(world: World, story: Story) -> None:
    """Ask the server to go, and see whether it does."""
    began = time.monotonic()
    story.exit_status = world.server.poll()
    if story.exit_status is None:
        world.server.terminate()
        with contextlib.suppress(TimeoutError, subprocess.TimeoutExpired):
            story.exit_status = await asyncio.to_thread(world.server.wait, 30)
        story.stopped_in = time.monotonic() - began
    world.server.kill()
    for source in world.sources.values():
        source.kill()
        source.wait()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description="live through hours of load and faults")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=1.0, help="times as much in an hour")
    parser.add_argument("--receivers", type=int, default=40)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--skip", nargs="*", default=[], help="strangers that stay away")
    docs = Path(__file__).parents[1] / "docs"
    parser.add_argument("--out", type=Path, default=docs / "soak.md")
    parser.add_argument("--folder", type=Path, help="keep files and samples there")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="cccamd-soak-"))
    folder.mkdir(exist_ok=True)
    os.environ["PYTHONUNBUFFERED"] = "1"
    chance = random.Random(arguments.seed)
    world = World(folder, arguments.receivers, chance, arguments.rate)
    skip = frozenset(arguments.skip)

    def tell(story: Story) -> bool:
        text, sound = report(story, arguments)
        arguments.out.write_text(text)
        return sound

    story = asyncio.run(soak(world, arguments.hours * 3600, skip, tell))
    sys.exit(not tell(story))


if __name__ == "__main__":
    main()
