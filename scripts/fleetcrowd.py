"""Play a fleet of 50 nodes and 100,000 clients in virtual time (tests/simulation/simcrowd.py), and
write what they saw into docs/simulation.md.

Usage: python scripts/fleetcrowd.py [--nodes N] [--clients N] [--channels N] [--seconds S] [--print]
"""

import argparse
import gc
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "simulation"))

from simcrowd import HEAD, Crowd, live_through_crowd  # noqa: E402

PAGE = ROOT / "docs" / "simulation.md"
BEGIN, END = "<!-- scripts/fleetcrowd.py -->\n", "<!-- end of the crowd -->\n"


def main() -> None:
    """Play it."""
    parser = argparse.ArgumentParser(description="a large fleet in virtual time")
    parser.add_argument("--nodes", type=int, default=50)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--channels", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each row")
    parser.add_argument("--print", action="store_true", help="leave the page alone")
    words = parser.parse_args()
    gc.disable()
    crowd = Crowd(nodes=words.nodes, clients=words.clients, channels=words.channels)
    table = HEAD
    for seen in live_through_crowd(crowd, words.seconds):
        table += seen.row() + "\n"
        print(f"{time.process_time():5.0f} s of CPU time: {seen.row()}", flush=True)
    if not words.print:
        page = PAGE.read_text()
        before, _, rest = page.partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
