"""What do workers cost, and what do they take from the core? None, one and two side by side.

    .venv/bin/python bench/workers.py [--seconds S] [--runs N]

Two profiles of bench/load.py with no, one and two workers in turn, several times over, so that
whatever else the machine does falls on all of them; the figures are medians. Every control word is
checked, and a wrong one is a failure.
"""

import argparse
import sys
from collections.abc import Iterable
from statistics import median

from rich.console import Console
from rich.table import Table
from rig.profiles import PROFILES, Options, Row

from cccamd.machine import raise_file_limit

WORKERS = (0, 1, 2)
NAMES = ("distinct", "known")


def cells(rows: list[Row]) -> list[str]:
    """Medians: requests a second, milliseconds, microseconds; and what was wrong."""

    def of(values: Iterable[float | None], factor: float, form: str) -> str:
        return form.format(factor * median(value for value in values if value is not None))

    return [
        of((row.count / row.took for row in rows), 1.0, "{:,.0f}"),
        of((row.percentile(0.5) for row in rows), 1e3, "{:.2f}"),
        of((row.percentile(0.99) for row in rows), 1e3, "{:.2f}"),
        of((row.microseconds for row in rows), 1.0, "{:.1f}"),
        of(((row.core or 0.0) / row.count for row in rows), 1e6, "{:.1f}"),
        f"{sum(row.verdict.faults for row in rows)}",
    ]


def measure(runs: int, seconds: float, console: Console) -> dict[tuple[str, int], list[Row]]:
    """All of them in turn, and that so many times."""
    found: dict[tuple[str, int], list[Row]] = {}
    for run in range(runs):
        for workers in WORKERS:
            console.print(f"run {run + 1} of {runs}: {workers} workers", style="dim")
            for name in NAMES:
                for row in PROFILES[name](Options(seconds, workers=workers)):
                    found.setdefault((row.name, workers), []).append(row)
    return found


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description="none, one and two workers side by side")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each profile")
    parser.add_argument("--runs", type=int, default=3, help="medians of so many")
    words = parser.parse_args()
    raise_file_limit()
    console = Console(width=None if sys.stdout.isatty() else 120)
    found = measure(words.runs, words.seconds, console)
    table = Table()
    for heading in ("", "workers", "a second", "median ms", "99 %", "CPU us", "core us", "wrong"):
        table.add_column(heading, justify="right" if heading else "left")
    for (name, workers), rows in sorted(found.items()):
        table.add_row(name, str(workers or "none"), *cells(rows))
    console.print(table)
    sys.exit(any(row.verdict.faults for rows in found.values() for row in rows))


if __name__ == "__main__":
    main()
