"""What does a node's miss cost with and without the fleet, and what does the engine have to do?

    .venv/bin/python bench/fleet.py [--seconds S] [--services N] [--runs N]

Three nodes (`cccamd serve`) with a real engine on this machine and a card that answers after
300 ms (tests/faults/fleetscene.py); at each node a client for each service asks for every ECM. The
second row is the same nodes after the engine was killed; both several times in turn. Every control
word is checked. After that an engine of its own tells how much it keeps entries of a fleet in.
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("", "server", "faults")]

from fleetscene import Scene, Seen, fleet  # noqa: E402

from cccamd.fleet.actions import Claim  # noqa: E402
from cccamd.fleet.talk import Talk  # noqa: E402
from cccamd.fleet.told import Told, encode  # noqa: E402
from cccamd.fleet.values import Sealer  # noqa: E402
from cccamd.ids import NO_NODE_ID, Caid  # noqa: E402
from cccamd.values import CardId, ControlWords  # noqa: E402
from redisengine import PROGRAM, RedisServer, engine  # noqa: E402

WEIGHED = 20_000
"""Entries of each kind."""
TICK = os.sysconf("SC_CLK_TCK")


def processor(scene: Scene) -> float:
    """Seconds that all nodes together have used."""
    stats = [Path(f"/proc/{house.pid}/stat").read_text().split() for house in scene.houses]
    return sum(int(each[13]) + int(each[14]) for each in stats) / TICK


def commands(scene: Scene) -> dict[str, int]:
    """How often the engine was told what."""
    told = scene.engine.say("INFO", "commandstats")
    return {name: int(count) for name, count in re.findall(r"cmdstat_(\w+):calls=(\d+)", told)}


def traffic(scene: Scene) -> dict[str, int]:
    """Bytes that came to the engine and went from it."""
    told = scene.engine.say("INFO", "stats")
    found = re.findall(r"total_net_(input|output)_bytes:(\d+)", told)
    return {name: int(count) for name, count in found}


def grown(before: dict[str, int], after: dict[str, int]) -> Counter[str]:
    """What was added of each."""
    return Counter({name: count - before.get(name, 0) for name, count in after.items()})


def together(some: list[Seen]) -> Seen:
    """All runs as one."""
    return Seen(
        waits=[wait for each in some for wait in each.waits],
        asked=sum(each.asked for each in some),
        ecms=sum(each.ecms for each in some),
        at_card=sum(each.at_card for each in some),
    )


def cells(what: str, seen: Seen, used: float) -> list[str]:
    """One row: milliseconds, asks, microseconds."""
    times = [f"{1000 * seen.percentile(share):.1f}" for share in (0.5, 0.99)]
    right = f"{len(seen.waits)} of {seen.asked}"
    each = f"{1e6 * used / max(1, seen.asked):.0f}"
    return [what, right, *times, f"{seen.at_card / seen.ecms:.2f}", each]


@dataclass
class Books:
    """What all runs came to."""

    fleet: list[Seen] = field(default_factory=list)
    alone: list[Seen] = field(default_factory=list)
    used: Counter[str] = field(default_factory=Counter)
    """Seconds of processor."""
    told: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    cws: int = 0
    """That nodes told each other."""


def cws_told(scene: Scene) -> int:
    """How many CWs all nodes have told."""
    return sum(house.api("status")["server"]["fleet"]["told"] for house in scene.houses)


async def run_once(scene: Scene, seconds: float, books: Books) -> None:
    """With the fleet, and after the engine was killed; it is there again in the end."""
    await scene.watch(20.0)  # so that the figures of a far engine, or of none, are forgotten
    used, told, sent = processor(scene), commands(scene), traffic(scene)
    cws = await asyncio.to_thread(cws_told, scene)
    books.fleet += await scene.watch(seconds)
    books.cws += await asyncio.to_thread(cws_told, scene) - cws
    books.used["fleet"] += processor(scene) - used
    books.told += grown(told, commands(scene))
    books.bytes += grown(sent, traffic(scene))
    scene.engine.kill()
    await scene.watch(3.0)
    used = processor(scene)
    books.alone += await scene.watch(seconds)
    books.used["alone"] += processor(scene) - used
    await scene.engine.start()
    await scene.until_together()


async def measure(folder: Path, words: argparse.Namespace, console: Console) -> bool:
    """Print what a fleet costs; whether every control word was right."""
    books = Books()
    async with fleet(folder, words.services) as scene:
        for way in scene.ways:
            way.delay = way.loss = 0.0
        for _ in range(words.runs):
            await run_once(scene, words.seconds, books)
    table = Table()
    for heading in ("", "right", "median ms", "99 %", "asks for each ECM", "CPU us each"):
        table.add_column(heading, justify="right" if heading else "left")
    inside, alone = together(books.fleet), together(books.alone)
    table.add_row(*cells("with the fleet", inside, books.used["fleet"]))
    table.add_row(*cells("each node alone", alone, books.used["alone"]))
    console.print(table)
    told = sorted(books.told.items())
    for what, number in ((f"ECM ({inside.ecms})", inside.ecms), (f"CW ({books.cws})", books.cws)):
        said = ", ".join(f"{name} {n / max(1, number):.2f}" for name, n in told if n)
        console.print(f"commands of all nodes for each {what}: {said}")
    to, fro = (books.bytes[name] / max(1, books.cws) for name in ("input", "output"))
    console.print(f"bytes for each CW: {to:,.0f} to the engine, {fro:,.0f} from it")
    return len(inside.waits) == inside.asked and len(alone.waits) == alone.asked


# What the engine keeps.


def used_memory(server: RedisServer) -> int:
    """Bytes that the engine says it uses."""
    found = re.search(r"used_memory:(\d+)", server.say("INFO", "memory"))
    return int(found[1]) if found else 0


def entries(sealer: Sealer) -> dict[str, Callable[[int], tuple[bytes, bytes]]]:
    """Name and value of an entry of each kind, as nodes make them."""

    def claim(number: int) -> tuple[bytes, bytes]:
        name = sealer.name("claim", number.to_bytes(16), b"\0")
        return name, sealer.seal(name, b"north")

    def cw(number: int) -> tuple[bytes, bytes]:
        fingerprint = number.to_bytes(16)
        name = sealer.name("cw", fingerprint)
        card = CardId(NO_NODE_ID, 1, Caid(0x7F00))
        told = Told("north", fingerprint, card, ControlWords(bytes(16)), ms=300)
        return name, sealer.seal(name, encode(told))

    def seat(number: int) -> tuple[bytes, bytes]:
        name = sealer.name("seat", b"user%d" % number, bytes(2))
        return name, sealer.seal(name, b'["north", 1700000000.123456]')

    return {"a claim": claim, "a CW": cw, "a seat": seat}


async def weigh(folder: Path, console: Console) -> None:
    """Print how large entries are, and what the engine takes for each."""
    table = Table()
    for heading in ("", "bytes", "engine's memory"):
        table.add_column(heading, justify="right" if heading else "left")
    for what, make in entries(Sealer(bytes(32))).items():
        own = folder / what.replace(" ", "_")
        own.mkdir()
        async with engine(own) as server:
            reader, writer = await asyncio.open_unix_connection(str(server.socket))
            before, size = used_memory(server), 0
            for number in range(WEIGHED):
                name, value = make(number)
                size = len(name) + len(value)
                writer.write(Talk().write([Claim(name, value, 3_600_000)], 0.0))
                await reader.readexactly(len(b"$-1\r\n"))
            each = (used_memory(server) - before) / WEIGHED
            writer.close()
        table.add_row(what, str(size), f"{each:.0f}")
    console.print(table)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description="what a fleet costs")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--services", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    words = parser.parse_args()
    if PROGRAM is None:
        sys.exit("bench/fleet.py: redis-server is not installed")
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory() as folder:
        right = asyncio.run(measure(Path(folder), words, console))
        asyncio.run(weigh(Path(folder), console))
    sys.exit(not right)


if __name__ == "__main__":
    main()
