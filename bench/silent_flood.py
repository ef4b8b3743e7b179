"""Thousands of connections a second that say nothing: does the server keep serving the others?

    .venv/bin/python bench/silent_flood.py [A_SECOND [SECONDS]]

A real server in a process of its own, on the loopback interface, and the flood in another, from
127.0.0.1. One client is logged in before the flood and asks an ECM every 50 ms all the time.
During the flood others log in, one after the other, from 127.0.0.2 and from the flood's own
address. Prints the answer times, how long logins took, the server's memory and its log.
"""

import asyncio
import contextlib
import multiprocessing
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.net import Client
from cccamd.values import Request
from cccamd.wire.cccam import Caller, ClientProtocol, Identity, Target, make_node_id

PORT = 15999
CFG = (
    f"SERVER LISTEN PORT : {PORT}\nALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
    "F: anna secret\nF: ben secret\n"
)
TOML = '[[card]]\nkind = "test"\ncaid = "7F00"\n'
ASK_INTERVAL = 0.05
FLOOD_FROM, HONEST_FROM = "127.0.0.1", "127.0.0.2"
HELD = 4000
"""Connections that the flood keeps; older ones it closes."""


def start_server(folder: Path) -> subprocess.Popen[bytes]:
    """Run `cccamd serve` with a test card."""
    (folder / "CCcam.cfg").write_text(CFG)
    (folder / "cccamd.toml").write_text(TOML)
    command = [sys.executable, "-m", "cccamd", "serve", "-C", str(folder / "CCcam.cfg")]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([*command, "-n", str(folder / "node-id")], stdout=log)


def flood(rate: int, seconds: float, made: "multiprocessing.Queue[int]") -> None:
    """Connect so often a second, and say nothing."""
    held: deque[socket.socket] = deque()
    began, count = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while count < rate * passed:
            count += 1
            if len(held) >= HELD:
                held.popleft().close()
            sock = socket.socket()
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((FLOOD_FROM, 0))
            with contextlib.suppress(BlockingIOError, OSError):
                sock.connect(("127.0.0.1", PORT))
            held.append(sock)
        time.sleep(0.001)
    made.put(count)


async def log_in(user: str, source: str) -> Client[ClientProtocol]:
    """Log in once from an address of ours."""
    identity = Identity(make_node_id(os.urandom(4)), "bench")
    target = Target(host="127.0.0.1", port=PORT, user=user.encode(), password=b"secret")
    loop = asyncio.get_running_loop()
    plain = loop.create_connection

    async def from_there(*args: object, **others: object) -> object:
        return await plain(*args, **{**others, "local_addr": (source, 0)})  # type: ignore[arg-type]

    loop.create_connection = from_there  # type: ignore[method-assign, assignment]
    try:
        return await Client.connect("127.0.0.1", PORT, Caller(target, identity))
    finally:
        loop.create_connection = plain  # type: ignore[method-assign]


async def log_in_at_last(user: str) -> Client[ClientProtocol]:
    """Log in, again and again until the server listens."""
    for _ in range(100):
        with contextlib.suppress(Exception):
            return await log_in(user, HONEST_FROM)
        await asyncio.sleep(0.1)
    raise SystemExit("the server does not answer")


async def ask_for_ever(client: Client, times: list[float]) -> None:
    """Note how long each answer takes."""
    while True:
        request = Request(Caid(0x7F00), Ident(0), ShareId(0), Sid(1), b"\x80" + os.urandom(100))
        started = time.perf_counter()
        await client.ask(request)
        times.append(1000 * (time.perf_counter() - started))
        await asyncio.sleep(ASK_INTERVAL)


async def try_logins(source: str, until: float) -> tuple[list[float], int]:
    """Log in and out until a time; how long each login took, and how many failed."""
    times: list[float] = []
    failed = 0
    while time.perf_counter() < until:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(5):
                client = await log_in("ben", source)
        except Exception:
            failed += 1
        else:
            times.append(1000 * (time.perf_counter() - started))
            await client.close()
        await asyncio.sleep(0.1)
    return times, failed


def of_process(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Resident memory in MiB, and CPU seconds."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return pages * resource.getpagesize() / 2**20, ticks / os.sysconf("SC_CLK_TCK")


def told(times: list[float]) -> str:
    """`median 1.2 ms, worst 3.4 ms`."""
    return f"median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms" if times else "-"


async def measure(process: subprocess.Popen[bytes], rate: int, seconds: float) -> None:
    """Measure before and during."""
    anna = await log_in_at_last("anna")
    times: list[float] = []
    asking = asyncio.get_running_loop().create_task(ask_for_ever(anna, times))
    await asyncio.sleep(1.0)
    (memory, cpu), calm = of_process(process), list(times)
    times.clear()
    made: multiprocessing.Queue[int] = multiprocessing.Queue()
    flooding = multiprocessing.Process(target=flood, args=(rate, seconds, made))
    flooding.start()
    await asyncio.sleep(1.0)
    half = (seconds - 1.0) / 2
    far = await try_logins(HONEST_FROM, time.perf_counter() + half)
    near = await try_logins(FLOOD_FROM, time.perf_counter() + half)
    count = await asyncio.to_thread(made.get)
    flooding.join()
    memory_then, cpu_then = of_process(process)
    print(f"{count:,} silent connections from {FLOOD_FROM} within {seconds:.0f} s")
    print(f"CPU of the server for each: {1e6 * (cpu_then - cpu) / count:.0f} µs")
    for source, (took, failed) in ((HONEST_FROM, far), (FLOOD_FROM, near)):
        print(f"logins from {source}: {len(took)}, {failed} failed; {told(took)}")
    print(f"answers before: {told(calm)}; during: {told(times)}")
    print(f"memory of the server: {memory:.0f} MiB before, {memory_then:.0f} MiB at the end")
    asking.cancel()
    await anna.close()


def main() -> None:
    """Run it all."""
    rate = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as name:
        process = start_server(Path(name))
        try:
            asyncio.run(measure(process, rate, seconds))
        finally:
            process.terminate()
            process.wait()
        lines = (Path(name) / "log").read_text().splitlines()
        print(f"lines in the server's log: {len(lines)}; the last ones:")
        print("\n".join(lines[-4:]))


if __name__ == "__main__":
    main()
