"""How long is the longest step of the server's event loop, for each kind of long work?

    .venv/bin/python bench/pauses.py [CLIENTS] [CARDS] [LINKS]

A real server in a process of its own, whose loop is measured from inside: each callback that it
runs is timed, each turn of the loop, and each collection of garbage (on asyncio's own loop: the
callbacks of uvloop's cannot be timed). Real logins in this process, a thousand a second; then
everything that looks at all of them, and reloads: of CLIENTS accounts and LINKS C-lines one, and
all. Then a second server with a few clients and a link that announces CARDS cards and is lost. What
an ECM waits at worst is what the longest step takes.

SHOW_STACKS=1 tells of each long step where it was seen. On a machine with much else to do no step's
time says anything: SHOW_CALLS=1 counts the calls of functions in each instead, which are always the
same (some 20,000 are 5 ms), and says where they were.
"""

import asyncio
import contextlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGHUP
from typing import Any, Final

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.machine import raise_file_limit
from cccamd.net import Connection
from cccamd.values import Offer, Provider, Request
from cccamd.wire.cccam import ClientProtocol, ServerProtocol, make_node_id
from cccamd.wire.link import Answered, CloseReason, Introduced, LoginRequested, Refused

PORT, WEB_PORT, UPSTREAM_PORT = 15988, 15987, 15986
CONFIG = f"SERVER LISTEN PORT : {PORT}\nWEBINFO LISTEN PORT : {WEB_PORT}\nALLOW TELNETINFO : no\n"
TOML = """
[limits]
max_clients = 20000
max_pending_logins = 5000
max_connections_per_address = 100000
upstream_cards_limit = 1000000
[[card]]
kind = "test"
caid = "7F00"
"""
LOGINS_A_SECOND: Final = 1000
PERIOD: Final = 10.0
"""Seconds between two ECMs of one client."""
CHANNELS: Final = 400
SHOWN: Final = 4
STACK: Final = 6
CALLS: Final = 20_000
"""Of functions: some 5 ms."""
PER_CALL: Final = 2.5e-7
"""Seconds, for what is shown."""
FEW: Final = 2
"""Clients that are told of CARDS cards."""


# The server, measured from inside.


class Steps:
    """The longest callbacks of the loop, by name; in seconds."""

    def __init__(self) -> None:
        self.longest: dict[str, tuple[float, float]] = {}
        self.over = 0
        self.number = 0
        """Of the step that runs."""
        self.stacks: list[Counter[str]] = []
        """What was seen in each long one, where that is looked for."""
        self.turns: list[float] = []
        """Seconds of the processor that each turn of the loop took, all its callbacks together."""
        self.since = time.perf_counter()
        self.calls = 0
        """Of functions, ever, where they are counted."""
        self.places: list[str] = []
        """Where the step that runs was seen at work, once in a thousand calls or so."""

    def note(self, name: Callable[[], str], processor: float, seconds: float) -> None:
        """One callback took so long: of the processor, and by the clock."""
        if seconds < 0.001:
            return
        self.over += processor > 0.005
        said = name()
        self.longest[said] = max((processor, seconds), self.longest.get(said, (0.0, 0.0)))

    def take(self) -> str:
        """Those since the last call, as JSON."""
        longest = sorted(self.longest.items(), key=lambda item: item[1], reverse=True)[:SHOWN]
        over, self.longest, self.over = self.over, {}, 0
        turns, self.turns = self.turns, []
        began, self.since = self.since, time.perf_counter()
        waits = [_wait(turns, self.since - began, share) for share in (0.01, 0.001)]
        stacks, self.stacks = self.stacks, []
        worst = sorted(stacks, key=Counter.total, reverse=True)[:SHOWN]
        seen = [list(stack.most_common(SHOWN)) for stack in worst]
        figures = {"longest": longest, "over": over, "usage": _usage(), "seen": seen}
        return json.dumps({**figures, "waits": [*waits, max(turns, default=0.0)]})


def _wait(turns: list[float], seconds: float, share: float) -> float:
    """What comes at any moment of so many seconds waits for longer than this with this
    probability, as its turn of the loop has begun; were the processor ours alone."""
    low, high = 0.0, max(turns, default=0.0)
    while high - low > 1e-5:
        middle = (low + high) / 2
        if sum(turn - middle for turn in turns if turn > middle) > share * seconds:
            low = middle
        else:
            high = middle
    return high


def count_calls(steps: Steps) -> Callable[[], float]:
    """Count the calls of functions in this thread; the clock that they make."""

    def counted(frame: Any, event: str, arg: Any) -> None:
        steps.calls += 1
        if not steps.calls % 2000:
            steps.places.append(_stack(frame))

    sys.setprofile(counted)
    return lambda: steps.calls * PER_CALL


def _sample(steps: Steps, thread: int) -> None:
    """Look every millisecond at what runs; told of the steps over 10 ms (SHOW_STACKS=1)."""
    sys.setswitchinterval(0.0005)
    last = 0
    seen: Counter[str] = Counter()
    while True:
        time.sleep(0.001)
        if steps.number != last:
            if sum(seen.values()) >= 8:
                steps.stacks.append(seen.copy())
            last = steps.number
            seen.clear()
        with contextlib.suppress(AttributeError):  # it goes on while it is looked at
            stack = _stack(sys._current_frames()[thread])
            if "Selector.select:" not in stack:
                seen[stack] += 1


def _stack(frame: Any) -> str:
    """Where it is, the innermost first."""
    frames: list[str] = []
    while frame is not None and frame.f_code.co_name != "timed" and len(frames) < STACK:
        frames.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(frames)


def _usage() -> dict[str, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    status = Path("/proc/self/status").read_text()
    rss = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return {"cpu": used.ru_utime + used.ru_stime, "rss": int(rss.split()[1]) / 1024}


def _name_of(callback: Any) -> str:
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        return f"task {task.get_name().split(' of ')[0]}"
    name = getattr(callback, "__qualname__", repr(callback))
    owner = type(task).__name__ if task is not None else ""
    return f"{owner} {name}"


def measured_server() -> None:
    """Run `cccamd serve` with the arguments that are left; each line of stdin asks for figures."""
    import gc
    import threading

    sys.modules["uvloop"] = None  # type: ignore[assignment]
    from cccamd.cli import main

    steps = Steps()
    clock = count_calls(steps) if os.environ.get("SHOW_CALLS") else time.thread_time
    run = asyncio.events.Handle._run

    def timed(handle: Any) -> None:
        callback = handle._callback
        steps.number += 1
        steps.places.clear()
        used, began = clock(), time.perf_counter()
        run(handle)
        used, took = clock() - used, time.perf_counter() - began
        if used > CALLS * PER_CALL and steps.places:
            steps.stacks.append(Counter(steps.places))
        steps.note(lambda: _name_of(callback), used, took)

    asyncio.events.Handle._run = timed  # type: ignore[method-assign]
    run_once = asyncio.BaseEventLoop._run_once  # type: ignore[attr-defined]

    def turn(loop: Any) -> None:
        used = clock()
        run_once(loop)
        used = clock() - used
        if used > 0.0002:  # most are shorter, and nobody waits for them
            steps.turns.append(used)

    asyncio.BaseEventLoop._run_once = turn  # type: ignore[attr-defined]
    began = used = 0.0

    def collected(phase: str, info: dict[str, int]) -> None:
        nonlocal began, used
        if phase == "start":
            began, used = time.perf_counter(), time.thread_time()
        else:
            generation = info["generation"]
            took = time.perf_counter() - began
            steps.note(lambda: f"garbage, generation {generation}", time.thread_time() - used, took)

    gc.callbacks.append(collected)
    if os.environ.get("SHOW_STACKS"):
        threading.Thread(target=_sample, args=(steps, threading.get_ident()), daemon=True).start()

    def listen() -> None:
        for _ in sys.stdin:
            print("FIGURES", steps.take(), file=sys.stderr, flush=True)

    threading.Thread(target=listen, daemon=True).start()
    sys.argv = ["cccamd", *sys.argv[2:]]
    main()


# The clients.


@dataclass(slots=True)
class Crowd:
    """All clients, and their answer times."""

    times: list[float] = field(default_factory=list)
    logged_in: int = 0
    lost: int = 0
    cards: int = 0
    login_times: list[float] = field(default_factory=list)

    def latency(self) -> str:
        """The answer times since the last call."""
        found, self.times = sorted(self.times), []
        if not found:
            return "no ECMs"
        marks = (0.5, 0.99, 0.999)
        shown = "/".join(f"{1000 * found[int(mark * len(found))]:.2f}" for mark in marks)
        return f"{len(found)} ECMs, p50/p99/p99.9 {shown}, worst {1000 * found[-1]:.1f} ms"


class Receiver(asyncio.Protocol):
    """One client; as lean as can be, for there are thousands of them in this process."""

    def __init__(self, number: int, crowd: Crowd) -> None:
        self.number, self.crowd = number, crowd
        self.loop = asyncio.get_running_loop()
        self.asked_at = self.began = time.perf_counter()
        self.rounds = 0
        self.is_in = False
        self.transport: asyncio.Transport | None = None
        self.protocol = ClientProtocol(
            user=b"user%d" % number,
            password=b"secret",
            node_id=make_node_id(number.to_bytes(4, "big")),
            program="bench",
            now=0.0,
        )

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.lost += 1
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.protocol.receive_data(data, self.loop.time())
        for event in self.protocol.events_received():
            match event:
                case Introduced():
                    self.is_in = True
                    self.crowd.logged_in += 1
                    self.crowd.login_times.append(time.perf_counter() - self.began)
                case Answered() | Refused():
                    self.crowd.times.append(time.perf_counter() - self.asked_at)
        self.flush()

    def ask(self) -> None:
        """Ask for a new ECM of its channel, and again in a period."""
        if self.transport is None or not self.is_in:
            return
        channel, self.rounds = self.number % CHANNELS, self.rounds + 1
        section = bytes([0x80 + self.rounds % 2]) + random.randbytes(149)
        request = Request(Caid(0x7F00), Ident(0), ShareId(0), Sid(1 + channel), section)
        self.asked_at = time.perf_counter()
        self.protocol.ask(self.rounds, request, self.loop.time())
        self.flush()
        self.loop.call_later(PERIOD, self.ask)

    def flush(self) -> None:
        if self.transport is not None and (data := self.protocol.data_to_send()):
            self.transport.write(data)


async def log_all_in(clients: int, crowd: Crowd) -> list[Receiver]:
    """A thousand connections a second, from many addresses."""
    loop = asyncio.get_running_loop()
    receivers: list[Receiver] = []
    began, pending = loop.time(), set()

    async def connect(number: int) -> None:
        receiver = Receiver(number, crowd)
        receivers.append(receiver)
        address = f"127.{1 + number // 200 % 200}.{number % 200}.1", 0
        try:
            await loop.create_connection(lambda: receiver, "127.0.0.1", PORT, local_addr=address)
        except OSError as error:
            print(f"    {error}")

    for number in range(clients):
        wait = began + number / LOGINS_A_SECOND - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        task = loop.create_task(connect(number))
        pending.add(task)
        task.add_done_callback(pending.discard)
    end = loop.time() + 20
    while crowd.logged_in + crowd.lost < clients and loop.time() < end:
        await asyncio.sleep(0.05)
    took = loop.time() - began
    print(f"{crowd.logged_in} of {clients} logged in within {took:.1f} s, {crowd.lost} lost")
    return receivers


class Upstream:
    """A server that lets links in and announces many cards on one, on a real socket."""

    def __init__(self) -> None:
        self.node_id = make_node_id(b"upst")
        self.connection: Connection[Any] | None = None
        """The link of the user `bench`."""

    def make(self) -> Connection[Any]:
        protocol = ServerProtocol(
            node_id=self.node_id,
            program="bench",
            random=os.urandom(12),
            now=asyncio.get_running_loop().time(),
        )

        def handle(event: object) -> None:
            if isinstance(event, LoginRequested):
                protocol.authenticate(b"secret")
                if event.user == b"bench":
                    self.connection = connection

        connection: Connection[Any] = Connection(
            protocol, handle, on_failure=lambda name, error: print(name, error)
        )
        return connection

    async def announce(self, cards: range) -> None:
        """Announce cards, as quickly as they are taken."""
        assert self.connection is not None
        for number in cards:
            self.connection.protocol.announce(
                Offer(
                    share_id=ShareId(number + 1),
                    remote_id=number + 1,
                    caid=Caid(0x0100 + number % 97),
                    hop=1,
                    reshare=2,
                    ua=bytes(8),
                    providers=(Provider(Ident(number % 1000)),),
                    path=(self.node_id,),
                )
            )
            if not number % 100:
                self.connection.flush()
                while self.connection.unsent > 65536:
                    await asyncio.sleep(0.002)
                await asyncio.sleep(0)
        self.connection.flush()


# What is measured.


class Bench:
    """One server with its crowd."""

    def __init__(self, process: subprocess.Popen[str], crowd: Crowd) -> None:
        self.process, self.crowd = process, crowd

    async def figures(self) -> dict[str, Any]:
        """What the server's loop did since the last call."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        while True:
            line = await asyncio.to_thread(self.process.stderr.readline)
            if line.startswith("FIGURES "):
                found: dict[str, Any] = json.loads(line[8:])
                return found
            if not line:
                raise SystemExit("the server has ended")
            print(f"    {line.rstrip()}")

    async def measure(self, title: str, work: Coroutine[Any, Any, Any]) -> dict[str, Any]:
        """Do some work, and print the longest steps of the server meanwhile."""
        before = await self.figures()
        self.crowd.times.clear()
        began = time.perf_counter()
        result = await work
        took = time.perf_counter() - began
        after = await self.figures()
        cpu = after["usage"]["cpu"] - before["usage"]["cpu"]
        longest = ", ".join(
            f"{name} {1000 * used:.1f} ms ({1000 * took:.1f})"
            for name, (used, took) in after["longest"]
        )
        print(
            f"{title}: {took:.2f} s ({cpu:.2f} s of processor), RSS {after['usage']['rss']:.1f} MB"
        )
        waits = "/".join(f"{1000 * wait:.2f}" for wait in after["waits"])
        print(f"    waits for its turn, p99/p99.9/worst {waits} ms of the processor")
        over = f"{after['over']} steps over 5 ms; of the processor (by the clock)"
        print(f"    {over}: {longest or 'below 1 ms'}")
        for step in after["seen"]:
            print("    a long step, by the places where it was seen:")
            for stack, count in step:
                print(f"    {count:5} {stack}")
        if self.crowd.times:
            print(f"    {self.crowd.latency()}")
        return {"result": result, **after, "cpu": cpu}


async def fetch(path: str) -> int:
    """Get a page; how many bytes it has."""
    reader, writer = await asyncio.open_connection("127.0.0.1", WEB_PORT)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    total = b""
    while data := await reader.read(1 << 16):
        total = total or data.split(b"\r\n")[0]
    writer.close()
    if b" 200 " not in total:
        print(f"    {path}: {total!r}")
    return len(total)


async def see_live(seconds: float) -> None:
    """Take the live view for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", WEB_PORT)
    writer.write(b"GET /live/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await reader.read(1 << 16):
                pass
    writer.close()


@contextlib.contextmanager
def server(folder: Path, clients: int, links: int = 0) -> Iterator[subprocess.Popen[str]]:
    """Run the measured server."""
    write_config(folder, clients, links)
    (folder / "cccamd.toml").write_text(TOML)
    (folder / "node-id").write_text(make_node_id(b"benc").hex())
    command = [sys.executable, __file__, "--serve", "serve", "-C", str(folder / "CCcam.cfg")]
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [*command, "-n", str(folder / "node-id")],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def write_config(
    folder: Path, clients: int, links: int = 0, more: str = "", hops: str = ""
) -> None:
    """Write CCcam.cfg."""
    lines = "".join(f"F: user{number} secret{hops}\n" for number in range(clients))
    lines += "".join(
        f"C: 127.0.0.1 {UPSTREAM_PORT} link{number} secret\n" for number in range(links)
    )
    upstream = f"C: 127.0.0.1 {UPSTREAM_PORT} bench secret\n"
    (folder / "CCcam.cfg").write_text(CONFIG + upstream + lines + more)


async def listening() -> None:
    for _ in range(200):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", WEB_PORT)
            writer.close()
            return
        await asyncio.sleep(0.1)
    raise SystemExit("the server does not listen")


async def run(clients: int, cards: int, links: int) -> None:
    """Everything, one after the other."""
    upstream = Upstream()
    await asyncio.get_running_loop().create_server(upstream.make, "127.0.0.1", UPSTREAM_PORT)
    with (
        tempfile.TemporaryDirectory() as name,
        server(Path(name), clients, links) as process,
    ):
        await listening()
        await _with_clients(Bench(process, Crowd()), Path(name), clients, links)
    if cards:
        with tempfile.TemporaryDirectory() as name, server(Path(name), FEW) as process:
            await listening()
            await _with_cards(Bench(process, Crowd()), upstream, cards)


async def _with_clients(bench: Bench, folder: Path, clients: int, links: int) -> None:
    loop, crowd = asyncio.get_running_loop(), bench.crowd
    await asyncio.sleep(2)
    empty = await bench.measure("at rest", asyncio.sleep(1))
    logins = await bench.measure(f"{clients} logins", log_all_in(clients, crowd))
    receivers: list[Receiver] = logins["result"]
    print(f"    {1e6 * logins['cpu'] / clients:.0f} us of processor a login")
    rest = await bench.measure("idle", asyncio.sleep(5))
    memory = 1024 * (rest["usage"]["rss"] - empty["usage"]["rss"]) / clients
    print(f"    {memory:.1f} KB a client")
    for number, receiver in enumerate(receivers):
        loop.call_later(PERIOD * number / clients, receiver.ask)
    await bench.measure("first ECMs", asyncio.sleep(PERIOD))
    await bench.measure("ECMs", asyncio.sleep(PERIOD))
    for path in ("/metrics", "/api/status", "/api/explain?account=user1", "/api/freezes", "/"):
        await bench.measure(path, fetch(path))
    await bench.measure("live view", see_live(5))

    async def reload(more: str = "", hops: str = "") -> None:
        write_config(folder, clients, links, more, hops)
        os.kill(bench.process.pid, SIGHUP)
        await asyncio.sleep(8)

    await bench.measure("reload, an account more", reload("F: another secret\n"))
    await bench.measure("reload, each account changed", reload(hops=" 3 1 0 { 0100:0:1 }"))
    await bench.measure("settling", asyncio.sleep(10))
    if os.environ.get("SHOW_LOG"):
        print((folder / "log").read_text()[-600:])
    for receiver in receivers:
        if receiver.transport is not None:
            receiver.transport.close()
    await bench.measure("all leave", asyncio.sleep(6))


async def _with_cards(bench: Bench, upstream: Upstream, cards: int) -> None:
    loop = asyncio.get_running_loop()
    receivers = await log_all_in(FEW, bench.crowd)
    for number, receiver in enumerate(receivers):
        loop.call_later(PERIOD * number / FEW, receiver.ask)

    async def announce() -> None:
        await upstream.announce(range(cards))
        await asyncio.sleep(5)

    async def drop() -> None:
        assert upstream.connection is not None
        upstream.connection.close(CloseReason.SHUTDOWN)
        await asyncio.sleep(10)

    await bench.measure(f"{cards} cards come", announce())
    await bench.measure("with them", asyncio.sleep(10))
    for path in ("/api/status", "/api/cards", "/"):
        await bench.measure(path, fetch(path))
    await bench.measure("their link is lost", drop())


def main() -> None:
    """Measure."""
    clients = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    cards = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    links = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    raise_file_limit()
    import gc

    gc.disable()
    asyncio.run(run(clients, cards, links))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        measured_server()
    else:
        main()
