"""In a network of its own where that can be (`test_fleet.py`): lives through all that may befall a
fleet, and prints the rows as JSON: what, answered, asked, ECMs, asks of the card."""

import asyncio
import json
import os
import sys
from pathlib import Path

from fleetground import INSIDE, go_inside
from fleetscene import fleet, live_through


async def live(folder: Path) -> list[tuple[str, int, int, int, int]]:
    """All of it, shortly."""
    async with fleet(folder, services=3) as scene:
        return [
            (what, len(seen.waits), seen.asked, seen.ecms, seen.at_card)
            async for what, seen in live_through(scene, seconds=1.0)
        ]


def main() -> None:
    """Print it."""
    if "--loopback" not in sys.argv:
        go_inside()
    rows = asyncio.run(live(Path(sys.argv[1])))
    print(json.dumps({"on_machines": INSIDE in os.environ, "rows": rows}))


if __name__ == "__main__":
    main()
