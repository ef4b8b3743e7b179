"""Live through what may befall a fleet, and write what its clients saw into docs/fleet.md.

Usage: python scripts/fleet.py [--seconds S] [--services N] [--print] [--loopback]

Three nodes (`cccamd serve`), a real engine behind a far and lossy way, one card behind another:
tests/faults/fleetscene.py. Each is on a machine of its own, a network namespace, where there can be
some (tests/faults/fleetground.py). Every control word is checked.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("", "server", "faults")]

from fleetground import go_inside  # noqa: E402
from fleetscene import GUIDE, fleet, live_through  # noqa: E402

from redisengine import PROGRAM  # noqa: E402

BEGIN, END = "<!-- scripts/fleet.py -->\n", "<!-- end -->\n"
HEAD = (
    "| what happens | answered | median ms | 99 % | longest | asks of the card for each ECM |\n"
    "| --- | --- | ---: | ---: | ---: | ---: |\n"
)


async def play(folder: Path, seconds: float, services: int) -> str:
    """Returns the table."""
    lines = []
    async with fleet(folder, services) as scene:
        async for row in live_through(scene, seconds):
            lines.append(f"| {row.what} | {row.seen.row()} |\n")
            print(lines[-1], end="", flush=True)
    return HEAD + "".join(lines)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description="what clients of a fleet see")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each row")
    parser.add_argument("--services", type=int, default=10)
    parser.add_argument("--print", action="store_true", help="leave the page alone")
    parser.add_argument("--loopback", action="store_true", help="no machines of their own")
    words = parser.parse_args()
    if PROGRAM is None:
        sys.exit("scripts/fleet.py: redis-server is not installed")
    if not words.loopback:
        go_inside()
    with tempfile.TemporaryDirectory() as folder:
        table = asyncio.run(play(Path(folder), words.seconds, words.services))
    if not words.print:
        page = GUIDE.read_text()
        before, _, rest = page.partition(BEGIN)
        GUIDE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
