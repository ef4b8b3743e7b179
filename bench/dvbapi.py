"""What do services over dvbapi cost: processor for each crypto period, and answer times?

    .venv/bin/python bench/dvbapi.py [SERVICES] [PERIODS]

A real server with a test card in a process of its own; set-top boxes as that of the demonstration,
50 services each, which list their services as tvheadend does and send an ECM for each every ten
seconds, spread evenly. Every control word is checked.
"""

import asyncio
import os
import statistics
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from rig.serving import HOST, TEST_CARD, cccamd

from cccamd.ids import Caid, Sid
from cccamd.lab.demo.settopbox import SetTopBox
from cccamd.lab.ports import free_port
from cccamd.net import TaskSet
from cccamd.values import ControlWords, with_checksums
from cccamd.wire.dvbapi import CaDescriptor, CaPmt, Stream

PERIOD = 10.0
SERVICES_EACH = 50
ECM_PID = 0x300
PATIENCE = 20.0


def service(adapter: int) -> CaPmt:
    """Picture and sound, with the same PIDs on every adapter."""
    return CaPmt(
        service=Sid(adapter + 1),
        adapter=adapter,
        descriptors=(CaDescriptor(Caid(0x7F00), ECM_PID),),
        streams=(Stream(0x1B, 0x101), Stream(0x0F, 0x102)),
    )


def make_ecm(number: int) -> bytes:
    """An ECM of the usual length that nobody has sent before."""
    body = os.urandom(147)
    return bytes((0x80 | number & 1,)) + (0x7000 | len(body)).to_bytes(2) + body


def expected(ecm: bytes) -> ControlWords:
    """What the test card makes of it."""
    return ControlWords(with_checksums(sha256(ecm).digest()[:16]))


@dataclass
class Books:
    """What came of all ECMs."""

    times: list[float] = field(default_factory=list)
    wrong: int = 0


class Link:
    """A box on a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.box = SetTopBox("bench")
        self._reader, self._writer = reader, writer
        self._news = asyncio.Condition()

    def flush(self) -> None:
        self._writer.write(self.box.data_to_send())

    async def listen(self) -> None:
        while data := await self._reader.read(65536):
            self.box.receive_data(data, time.monotonic())
            self.flush()
            async with self._news:
                self._news.notify_all()

    async def watch(self, adapter: int, phase: float, periods: int, books: Books) -> None:
        """Send an ECM each period, and look at the keys that come."""
        await asyncio.sleep(PERIOD * phase)
        for number in range(periods):
            began = time.perf_counter()
            ecm = make_ecm(number)
            if await self.ask(adapter, ecm) == expected(ecm):
                books.times.append(time.perf_counter() - began)
            else:
                books.wrong += 1
            await asyncio.sleep(PERIOD - (time.perf_counter() - began))

    async def ask(self, adapter: int, ecm: bytes) -> ControlWords | None:
        """The keys that come after an ECM; None: none came."""
        answers = self.box.tunings[adapter].answers
        before = len(answers)
        self.box.section(adapter, ECM_PID, ecm)
        self.flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(PERIOD / 2), self._news:
                await self._news.wait_for(lambda: len(answers) > before)
        return answers[-1] if len(answers) > before else None

    async def open_all(self, services: int) -> float:
        """Open one service after the other; seconds until all have their filters."""
        began = time.perf_counter()
        for adapter in range(services):
            self.box.open(service(adapter), time.monotonic())
            self.flush()
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(
                lambda: all(each.has_filter for each in self.box.tunings.values())
            )
        return time.perf_counter() - began


async def measure(services: int, periods: int) -> None:
    """Run it, and print the figures."""
    port = free_port()
    toml = f'{TEST_CARD}[dvbapi]\nport = {port}\nlisten = ["{HOST}"]\naccount = "user0"\n'
    tasks = TaskSet(on_failure=lambda name, error: print(f"{name}: {error!r}"))
    books = Books()
    with cccamd(accounts=1, toml=toml) as server:
        ways = [
            await asyncio.open_connection(HOST, port) for _ in range(-(-services // SERVICES_EACH))
        ]
        links = [Link(*way) for way in ways]
        for link in links:
            link.flush()
            tasks.start("listen", link.listen())
        counts = [
            min(SERVICES_EACH, services - SERVICES_EACH * number) for number in range(len(links))
        ]
        idle = server.memory()
        opening = server.processor()
        pairs = zip(links, counts, strict=True)
        opened = await asyncio.gather(*(link.open_all(count) for link, count in pairs))
        opening = server.processor() - opening
        began = server.processor()
        await asyncio.gather(
            *(
                link.watch(adapter, (adapter + number / len(links)) / SERVICES_EACH, periods, books)
                for number, (link, count) in enumerate(zip(links, counts, strict=True))
                for adapter in range(count)
            )
        )
        used = (server.processor() - began) / periods
        faults = [fault for link in links for fault in link.box.faults]
        grown = (server.memory() - idle) / services / 1024
        for _, writer in ways:
            writer.close()
        await tasks.cancel()
    print(f"{services} services on {len(links)} connections, {periods} periods of {PERIOD:g} s")
    print(f"  opening  {max(opened):.2f} s until all have filters, {opening:.2f} s of processor")
    print(
        f"  running  {1000 * used:.0f} ms of processor a period"
        f" ({100 * used / PERIOD:.1f} % of a core, {1e6 * used / services:.0f} us a service)"
    )
    found = sorted(books.times)
    slow = found[int(0.99 * len(found))]
    print(
        f"  answers  {len(found)}, median {1000 * statistics.median(found):.2f} ms,"
        f" 99 % {1000 * slow:.2f} ms, worst {1000 * found[-1]:.2f} ms"
    )
    print(f"  memory   {grown:.0f} KiB a service")
    if books.wrong or faults:
        raise SystemExit(f"{books.wrong} wrong or missing control words; {set(faults)}")


def main() -> None:
    """Read the arguments."""
    numbers = [int(text) for text in sys.argv[1:]]
    services, periods = (*numbers, *(200, 3)[len(numbers) :])
    asyncio.run(measure(services, periods))


if __name__ == "__main__":
    main()
