"""`cccamd status`: what goes on in the server that runs here."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.loading import deed


@deed
def status(
    watch: Annotated[
        bool, typer.Option("-w", "--watch", help="Keep showing it, until Ctrl-C.")
    ] = False,
    interval: Annotated[
        float, typer.Option(min=0.2, max=3600, help="With --watch: seconds between two looks.")
    ] = 2.0,
    as_data: Annotated[
        bool,
        typer.Option("--json", help="Print JSON for programs; with --watch one line per look."),
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "-C",
            "--config",
            metavar="FILE",
            help="The CCcam.cfg that the server reads; without it the same is searched.",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Ask another server: http://192.168.1.5:16001, with user:password@ if needed.",
        ),
    ] = None,
) -> None:
    """Show receivers, sources, cards and answer times of the running server.

    It asks the server's web pages, on the port and with the login that CCcam.cfg says.

    Exit status: 0 shown, 1 no answer, 2 the configuration cannot be used.
    """
