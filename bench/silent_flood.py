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
import socket
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterator

from rig.logins import log_in
from rig.serving import HOST, Served, cccamd

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.machine import raise_file_limit
from cccamd.net import Client
from cccamd.values import Request

ASK_INTERVAL = 0.05
FLOOD_FROM, HONEST_FROM = HOST, "127.0.0.2"
HELD = 4000
"""Connections that the flood keeps; older ones it closes."""


def flood(port: int, rate: int, seconds: float, made: "multiprocessing.Queue[int]") -> None:
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
            with contextlib.suppress(OSError):
                sock.connect((HOST, port))
            held.append(sock)
        time.sleep(0.001)
    made.put(count)


@contextlib.contextmanager
def calling_from(source: str) -> Iterator[None]:
    """Have connections of this process begin at another of its addresses."""
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect

    async def connect_from(sock: socket.socket, address: object) -> None:
        sock.bind((source, 0))
        await connect(sock, address)  # type: ignore[arg-type]

    loop.sock_connect = connect_from  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        loop.sock_connect = connect  # type: ignore[method-assign]


async def ask_for_ever(client: Client, times: list[float]) -> None:
    """Note how long each answer takes."""
    while True:
        request = Request(Caid(0x7F00), Ident(0), ShareId(0), Sid(1), b"\x80" + os.urandom(100))
        started = time.perf_counter()
        await client.ask(request)
        times.append(1000 * (time.perf_counter() - started))
        await asyncio.sleep(ASK_INTERVAL)


async def try_logins(port: int, source: str, until: float) -> tuple[list[float], int]:
    """Log in and out until a time; how long each login took, and how many failed."""
    times: list[float] = []
    failed = 0
    while time.perf_counter() < until:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(5):
                with calling_from(source):
                    client = await log_in(port, 1)
        except Exception:
            failed += 1
        else:
            times.append(1000 * (time.perf_counter() - started))
            await client.close()
        await asyncio.sleep(0.1)
    return times, failed


def told(times: list[float]) -> str:
    """`median 1.2 ms, worst 3.4 ms`."""
    return f"median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms" if times else "-"


async def measure(server: Served, rate: int, seconds: float) -> None:
    """Measure before and during."""
    anna = await log_in(server.port, 0)
    times: list[float] = []
    asking = asyncio.get_running_loop().create_task(ask_for_ever(anna, times))
    await asyncio.sleep(1.0)
    memory, cpu, calm = server.memory() / 2**20, server.processor(), list(times)
    times.clear()
    made: multiprocessing.Queue[int] = multiprocessing.Queue()
    arguments = (server.port, rate, seconds, made)
    flooding = multiprocessing.Process(target=flood, args=arguments)
    flooding.start()
    await asyncio.sleep(1.0)
    half = (seconds - 1.0) / 2
    far = await try_logins(server.port, HONEST_FROM, time.perf_counter() + half)
    near = await try_logins(server.port, FLOOD_FROM, time.perf_counter() + half)
    count = await asyncio.to_thread(made.get)
    flooding.join()
    each = 1e6 * (server.processor() - cpu) / count
    print(f"{count:,} silent connections from {FLOOD_FROM} within {seconds:.0f} s")
    print(f"CPU of the server for each: {each:.0f} µs")
    for source, (took, failed) in ((HONEST_FROM, far), (FLOOD_FROM, near)):
        print(f"logins from {source}: {len(took)}, {failed} failed; {told(took)}")
    print(f"answers before: {told(calm)}; during: {told(times)}")
    print(f"memory of the server: {memory:.0f} MiB before, {server.memory() / 2**20:.0f} MiB after")
    asking.cancel()
    await anna.close()


def main() -> None:
    """Run it all."""
    rate = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    raise_file_limit()
    with cccamd(accounts=2) as server:
        asyncio.run(measure(server, rate, seconds))
        lines = server.log.read_text().splitlines()
        print(f"lines in the server's log: {len(lines)}; the last ones:")
        print("\n".join(lines[-4:]))


if __name__ == "__main__":
    main()
