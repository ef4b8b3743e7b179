"""What does an open overview cost: bytes a second on the wire, and answer times meanwhile?

    .venv/bin/python bench/live_view.py [SECONDS] [CLIENTS ...]

A real server with a test card in a process of its own; real logins that ask for a new ECM every
ten seconds each, as receivers do. Then a viewer takes the live stream, packed and unpacked.
"""

import asyncio
import contextlib
import os
import statistics
import sys
import time

from rig.logins import log_in
from rig.serving import HOST, cccamd

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.net import Client, TaskSet
from cccamd.values import Request
from cccamd.wire.cccam import ClientProtocol

PERIOD = 10.0
PACKED, PLAIN = "Accept-Encoding: gzip\r\n", ""
LOGINS_AT_ONCE = 20


async def watch(client: Client[ClientProtocol], number: int, times: list[float]) -> None:
    """Ask for a key every period, as a receiver does."""
    await asyncio.sleep(PERIOD * (number % 97) / 97)
    while True:
        began = time.perf_counter()
        request = Request(Caid(0x7F00), Ident(0), ShareId(0), Sid(number % 40), os.urandom(150))
        await client.ask(request)
        times.append(time.perf_counter() - began)
        await asyncio.sleep(PERIOD - (time.perf_counter() - began))


async def view(pages: int, encoding: str, seconds: float) -> tuple[int, float]:
    """Take the stream: bytes of the first view, and bytes a second afterwards."""
    reader, writer = await asyncio.open_connection(HOST, pages)
    writer.write(f"GET /live/events HTTP/1.1\r\nHost: {HOST}\r\n{encoding}\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    first = await count(reader, 0.8)
    later = await count(reader, seconds)
    writer.close()
    return first, later / seconds


async def count(reader: asyncio.StreamReader, seconds: float) -> int:
    """How many bytes come in a time."""
    total, end = 0, time.monotonic() + seconds
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + seconds):
            while time.monotonic() < end:
                total += len(await reader.read(65536))
    return total


def answers(times: list[float]) -> str:
    """The answer times of late, which are forgotten."""
    found = sorted(times)
    times.clear()
    if not found:
        return "none"
    worst, slow = found[-1], found[int(0.99 * len(found))]
    middle = statistics.median(found)
    return f"median {1000 * middle:.1f}, 99 % {1000 * slow:.1f}, worst {1000 * worst:.1f} ms"


async def measure(clients: int, seconds: float) -> None:
    """Log all in, and look."""
    times: list[float] = []
    tasks = TaskSet(on_failure=lambda name, error: print(f"{name}: {error}"))
    with cccamd(accounts=clients) as server:
        logged_in: list[Client[ClientProtocol]] = []
        for start in range(0, clients, LOGINS_AT_ONCE):
            numbers = range(start, min(clients, start + LOGINS_AT_ONCE))
            logged_in += await asyncio.gather(*(log_in(server.port, each) for each in numbers))
        for number, client in enumerate(logged_in):
            tasks.start(f"receiver {number}", watch(client, number, times))
        await asyncio.sleep(PERIOD + 1)
        times.clear()
        await asyncio.sleep(seconds)
        print(f"{clients} receivers, nobody looks: answers {answers(times)}")
        for word, encoding in (("packed", PACKED), ("plain", PLAIN)):
            first, rate = await view(server.pages, encoding, seconds)
            size = f"first {first / 1000:.1f} kB, then {rate / 1000:.2f} kB/s"
            print(f"{clients} receivers, {word}: {size}; answers {answers(times)}")
        await tasks.cancel()
        for client in logged_in:
            await client.close()


def main() -> None:
    """Measure for each number of receivers."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    for clients in [int(number) for number in sys.argv[2:]] or [28, 500]:
        asyncio.run(measure(clients, seconds))


if __name__ == "__main__":
    main()
