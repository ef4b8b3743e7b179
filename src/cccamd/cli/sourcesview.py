"""What `cccamd journal --sources` shows: how each source did over days."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final

import typer
from rich.console import Console
from rich.text import Text

from cccamd.cli.command import plain
from cccamd.cli.terminal import Column, answer_time, answered_share, draw_table
from cccamd.watch.journal import SourceSum
from cccamd.why import away_for
from cccamd.wording import span

OUTAGES_SHOWN: Final = 3
"""Of each source, the longest."""
_COLUMNS: Final = (
    Column("source"),
    Column("looked at for", right=True),
    Column("up", right=True),
    Column("lost", right=True),
    Column("away", right=True),
    Column("longest", right=True, from_width=90),
    Column("ECMs", right=True),
    Column("usual", right=True),
    Column("worst", right=True),
)
_GOOD, _POOR = 0.999, 0.98
"""Shares of the time that a source is up."""
WIDTH_OF_FILES: Final = 160


def show_sources(sums: Sequence[SourceSum], *, as_csv: bool, as_data: bool) -> None:
    """Print them for people, spreadsheets or programs."""
    if as_data:
        typer.echo(json.dumps([_record(one) for one in sums], indent=2))
    elif as_csv:
        rows = [_record(one) for one in sums]
        names = [name for name in _record(SourceSum(name="")) if name != "outages"]
        table = csv.DictWriter(sys.stdout, names, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    elif not sums:
        typer.echo("nothing was written down about sources for this time")
    else:
        _draw(sums)


def _record(one: SourceSum) -> dict[str, object]:
    return asdict(one) | {"uptime": one.uptime}


def _draw(sums: Sequence[SourceSum]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_OF_FILES)
    console.print(draw_table("Sources", _COLUMNS, map(_row, sums), console.width))
    for line in _outages(sums):
        console.print(line)


def _row(one: SourceSum) -> list[Text]:
    return [
        Text(plain(one.name), "bold"),
        Text(span(one.seen)),
        _uptime(one.uptime),
        Text(str(one.losses or ""), "yellow"),
        Text(span(one.away) if one.away else ""),
        Text(span(one.outages[0].seconds) if one.outages else ""),
        answered_share(one.answered, one.asked),
        answer_time(one.median),
        answer_time(one.worst),
    ]


def _uptime(share: float | None) -> Text:
    if share is None:
        return Text("")
    # Rounded down: 100 % means all the time.
    shown = int(share * 1000) / 10
    return Text(
        f"{shown:.1f} %", "green" if share >= _GOOD else "yellow" if share >= _POOR else "red"
    )


def _outages(sums: Sequence[SourceSum]) -> Iterable[Text]:
    for one in sums:
        for outage in one.outages[:OUTAGES_SHOWN]:
            at = f"{datetime.fromtimestamp(outage.at):%Y-%m-%d %H:%M:%S}"
            away = away_for(outage.seconds, outage.until if outage.goes_on else None)
            yield Text(f"{at}  {plain(one.name)} {away}: {plain(outage.why)}")
