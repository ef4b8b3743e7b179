"""`cccamd journal`: what clients did, as the server wrote it down."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.command import AsData
from cccamd.cli.loading import deed


@deed
def journal(
    account: Annotated[
        str | None, typer.Argument(help="Whose entries to show; all of them without.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="The oldest to show: 2h, 30m, 3d, today, yesterday, 20:15, 2026-11-22.",
        ),
    ] = None,
    sources: Annotated[
        bool,
        typer.Option(
            "--sources", help="Sum up how often each source was away, and how it answered."
        ),
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for programs.")] = False,
    as_data: AsData = False,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The journal; without it that in the server's own folder."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "-C",
            "--config",
            metavar="FILE",
            help="The CCcam.cfg that says where channel names are.",
        ),
    ] = None,
) -> None:
    """Show channel changes, answer times, logins, freezes, incidents and outages, oldest first.

    Exit status: 0 shown, 2 there is no journal, or it cannot be read.
    """
