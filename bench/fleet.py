"""What does a node's miss cost with and without the fleet, and what does the engine have to do?

    .venv/bin/python bench/fleet.py [--seconds S] [--services N]

Three nodes (`cccamd serve`) with a real engine on this machine and a card that answers after
300 ms (tests/faults/fleetscene.py); at each node a client for each service asks for every ECM. The
second row is the same nodes after the engine was killed. Every control word is checked.
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("", "server", "faults")]

from fleetscene import Scene, Seen, fleet  # noqa: E402

from redisengine import PROGRAM  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")


def processor(scene: Scene) -> float:
    """Seconds that all nodes together have used."""
    stats = [Path(f"/proc/{house.pid}/stat").read_text().split() for house in scene.houses]
    return sum(int(each[13]) + int(each[14]) for each in stats) / TICK


def commands(scene: Scene) -> dict[str, int]:
    """How often the engine was told what."""
    told = scene.engine.say("INFO", "commandstats")
    return {name: int(count) for name, count in re.findall(r"cmdstat_(\w+):calls=(\d+)", told)}


def cells(what: str, seen: Seen, used: float) -> list[str]:
    """One row: milliseconds, asks, microseconds."""
    times = [f"{1000 * seen.percentile(share):.1f}" for share in (0.5, 0.99)]
    right = f"{len(seen.waits)} of {seen.asked}"
    each = f"{1e6 * used / max(1, seen.asked):.0f}"
    return [what, right, *times, f"{seen.at_card / seen.ecms:.2f}", each]


async def measure(folder: Path, seconds: float, services: int, console: Console) -> bool:
    """Print both tables; whether every control word was right."""
    table = Table()
    for heading in ("", "right", "median ms", "99 %", "asks for each ECM", "CPU us each"):
        table.add_column(heading, justify="right" if heading else "left")
    async with fleet(folder, services) as scene:
        for way in scene.ways:
            way.delay = way.loss = 0.0
        await scene.watch(20.0)  # so that the figures of a far engine are forgotten
        used, told = processor(scene), commands(scene)
        (together,) = await scene.watch(seconds)
        table.add_row(*cells("with the fleet", together, processor(scene) - used))
        after = commands(scene)
        scene.engine.kill()
        await scene.watch(3.0)
        used = processor(scene)
        (alone,) = await scene.watch(seconds)
        table.add_row(*cells("each node alone", alone, processor(scene) - used))
    console.print(table)
    sent = {name: count - told.get(name, 0) for name, count in after.items()}
    said = ", ".join(f"{name} {n / together.ecms:.2f}" for name, n in sorted(sent.items()) if n)
    console.print(f"commands of all nodes for each ECM: {said}")
    return len(together.waits) == together.asked and len(alone.waits) == alone.asked


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description="what a fleet costs")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--services", type=int, default=8)
    words = parser.parse_args()
    if PROGRAM is None:
        sys.exit("bench/fleet.py: redis-server is not installed")
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory() as folder:
        right = asyncio.run(measure(Path(folder), words.seconds, words.services, console))
    sys.exit(not right)


if __name__ == "__main__":
    main()
