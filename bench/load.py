"""How fast, how steady and how large is the server? One table, with an echo server beside it.

    .venv/bin/python bench/load.py [PROFILE ...] [--seconds S] [--runs N] [--json FILE]

Profiles: distinct known newcamd login hops storm zap1000 zap5000 zap10000; without any, all.
The server is `cccamd serve` in a process of its own with pages, journal and metrics, as it is by
default; the load comes from this process, over the loopback interface; every control word is
checked, and a wrong one is a failure. `--source` runs the server from another state of the project
(its `src` folder), for old against new on one machine:

    git worktree add ../old COMMIT
    .venv/bin/python bench/load.py --source ../old/src --json old.json
    .venv/bin/python bench/load.py --json new.json --against old.json

`--venv` runs the server that is installed in another environment, as the compiled flavour is:

    make compiled && .venv/bin/python bench/load.py --venv .venv-compiled --against new.json
"""

import argparse
import json
import os
import statistics
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rig import echo
from rig.profiles import FASTEST, PROFILES, Options, Row, yardstick

from cccamd.machine import raise_file_limit

LOOP = "uvloop" if echo.uvloop else "asyncio"


@dataclass(slots=True)
class Figures:
    """One row as it is shown and kept: medians of several runs. Milliseconds, us, MiB, KiB."""

    name: str
    rate: float
    median: float | None = None
    p99: float | None = None
    p999: float | None = None
    worst: float | None = None
    processor: float | None = None
    of_echo: float | None = None
    memory: float | None = None
    client_memory: float | None = None
    pause: float | None = None
    right: int = 0
    faults: int = 0
    note: str = ""


def figures(row: Row, echo_rate: float | None) -> Figures:
    """Translate the units."""

    def scaled(value: float | None, factor: float) -> float | None:
        return None if value is None else value * factor

    rate = row.count / row.took if row.took else 0.0
    return Figures(
        row.name,
        rate,
        *(scaled(row.percentile(share), 1000) for share in (0.5, 0.99, 0.999, 1.0)),
        processor=row.microseconds,
        of_echo=rate / echo_rate if echo_rate else None,
        memory=scaled(row.memory, 1 / 2**20),
        client_memory=scaled(row.client_memory, 1 / 1024),
        pause=scaled(row.pause, 1000),
        right=row.verdict.right,
        faults=row.verdict.faults,
        note=row.note or (str(row.verdict) if row.verdict.faults else ""),
    )


def middle(runs: list[Figures]) -> Figures:
    """The medians of the same row in several runs; faults are added up."""
    first = asdict(runs[0])
    for name, value in first.items():
        values = [each for run in runs if (each := getattr(run, name)) is not None]
        if name in ("right", "faults"):
            first[name] = sum(values)
        elif isinstance(value, float) and values:
            first[name] = statistics.median(values)
    return Figures(**first)


def measure(names: list[str], options: Options, runs: int, console: Console) -> list[Figures]:
    """Run all, one after the other, and as often as was asked."""
    found: dict[str, list[Figures]] = {}
    for number in range(runs):
        console.print(f"run {number + 1} of {runs}: echo ({LOOP})", style="dim")
        base: float | None = None
        for row in yardstick(options):
            found.setdefault("echo", []).append(figures(row, None))
            base = found["echo"][-1].rate
        for name in names:
            console.print(f"run {number + 1} of {runs}: {name}", style="dim")
            for row in PROFILES[name](options):
                against = base if row.name in FASTEST else None
                found.setdefault(row.name, []).append(figures(row, against))
    return [middle(each) for each in found.values()]


COLUMNS = (
    ("a second", "rate", "{:,.0f}"),
    ("median ms", "median", "{:.2f}"),
    ("99 %", "p99", "{:.2f}"),
    ("99.9 %", "p999", "{:.2f}"),
    ("longest", "worst", "{:.1f}"),
    ("CPU us each", "processor", "{:.1f}"),
    ("of echo", "of_echo", "{:.2f}"),
    ("MiB", "memory", "{:.0f}"),
    ("KiB a client", "client_memory", "{:.1f}"),
    ("loop away ms", "pause", "{:.1f}"),
    ("right", "right", "{:,}"),
    ("not", "faults", "{:,}"),
)


def show(all_of_it: list[Figures], before: Mapping[str, Figures], console: Console) -> None:
    """Print the table, with the same rows of another run where there are any."""
    table = Table(title=f"echo on {LOOP}; {os.cpu_count()} cores", title_justify="left")
    table.add_column("")
    for heading, _, _ in COLUMNS:
        table.add_column(heading, justify="right")
    for each in all_of_it:
        old = before.get(each.name)
        if old is not None:
            table.add_row(f"{each.name}, before", *_cells(old), style="dim")
        table.add_row(each.name, *_cells(each), style="red" if each.faults else None)
    console.print(table)
    for each in all_of_it:
        if each.note:
            console.print(f"{each.name}: {each.note}")


def _cells(each: Figures) -> list[str]:
    return [_cell(name, getattr(each, name), form) for _, name, form in COLUMNS]


def _cell(name: str, value: float | None, form: str) -> str:
    if value is None:
        return ""
    if name == "pause" and not value:
        return "< 50"  # the server notes no shorter ones
    return form.format(value)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description="load profiles of a whole server")
    parser.add_argument("profiles", nargs="*", metavar="PROFILE", help=", ".join(PROFILES))
    parser.add_argument("--seconds", type=float, help="of each profile, instead of its own")
    parser.add_argument("--runs", type=int, default=1, help="medians of so many")
    parser.add_argument("--workers", type=int, default=0, help="as in cccamd serve --workers")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--source", type=Path, help="a src folder to run the server from")
    place.add_argument("--venv", type=Path, help="an environment to run its server of")
    parser.add_argument("--json", type=Path, help="keep the figures there")
    parser.add_argument("--against", type=Path, help="show kept figures beside these")
    arguments = parser.parse_args()
    names = arguments.profiles or list(PROFILES)
    if unknown := [name for name in names if name not in PROFILES]:
        parser.error(f"no such profile: {', '.join(unknown)}; there are {', '.join(PROFILES)}")
    raise_file_limit()
    source = arguments.source.resolve() if arguments.source else None
    if arguments.venv:
        base = str(arguments.venv.resolve())
        source = Path(sysconfig.get_path("purelib", vars={"base": base}))
    console = Console(width=None if sys.stdout.isatty() else 180)
    found = measure(
        names, Options(arguments.seconds, source, arguments.workers), arguments.runs, console
    )
    kept = json.loads(arguments.against.read_text()) if arguments.against else []
    show(found, {each["name"]: Figures(**each) for each in kept}, console)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(each) for each in found], indent=1))
    sys.exit(any(each.faults for each in found))


if __name__ == "__main__":
    main()
