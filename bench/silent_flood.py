"""10,000 connections that say nothing: does the server keep serving the others?

    .venv/bin/python bench/silent_flood.py [CONNECTIONS]

A real server in a process of its own, on the loopback interface. One client is logged in
before the flood and asks an ECM every 50 ms all the time; another one logs in at its
height. Prints the answer times, how long the late login took, and the server's memory.
"""

import asyncio
import contextlib
import os
import resource
import statistics
import sys
import time

from rig.logins import log_in
from rig.serving import HOST, Served, cccamd

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.net import Client
from cccamd.values import Request

ASK_INTERVAL = 0.05


async def ask_for_ever(client: Client, times: list[float]) -> None:
    """Note how long each answer takes."""
    while True:
        request = Request(Caid(0x7F00), Ident(0), ShareId(0), Sid(1), b"\x80" + os.urandom(100))
        started = time.perf_counter()
        await client.ask(request)
        times.append(1000 * (time.perf_counter() - started))
        await asyncio.sleep(ASK_INTERVAL)


async def connect_silently(port: int, count: int) -> list[asyncio.StreamWriter]:
    """Open connections and say nothing on them."""
    writers = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(HOST, port)
            writers.append(writer)
    return writers


async def flood(server: Served, count: int) -> None:
    """Measure before, during and after."""
    anna = await log_in(server.port, 0)
    times: list[float] = []
    asking = asyncio.get_running_loop().create_task(ask_for_ever(anna, times))
    await asyncio.sleep(1.0)
    before, calm = server.memory() / 2**20, list(times)
    times.clear()
    started = time.perf_counter()
    writers = await connect_silently(server.port, count)
    took = time.perf_counter() - started
    login_started = time.perf_counter()
    ben = await log_in(server.port, 1)
    login = 1000 * (time.perf_counter() - login_started)
    print(f"{len(writers):,} silent connections within {took:.1f} s")
    print(f"a new login at the height: {login:.0f} ms")
    print(f"answers before: median {statistics.median(calm):.1f} ms, worst {max(calm):.1f} ms")
    print(f"answers during: median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms")
    height = server.memory() / 2**20
    print(f"memory of the server: {before:.0f} MiB before, {height:.0f} MiB at the height")
    asking.cancel()
    await ben.close()
    await anna.close()


def main() -> None:
    """Run it all."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with cccamd(accounts=2) as server:
        asyncio.run(flood(server, count))
        lines = server.log.read_text().splitlines()
        print(f"lines in the server's log: {len(lines)}; the last ones:")
        print("\n".join(lines[-4:]))


if __name__ == "__main__":
    main()
