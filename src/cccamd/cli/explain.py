"""`cccamd explain`: why an account sees a card or not, and what line to change."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.command import AsData, hex_option
from cccamd.cli.loading import deed
from cccamd.ids import (
    parse_caid,
    parse_ident,
    parse_sid,
)


@deed
def explain(
    account: Annotated[
        str | None,
        typer.Argument(
            metavar="ACCOUNT|ADDRESS",
            help="The user name of an F-line; or an IP address: whether it may log in.",
            show_default=False,
        ),
    ] = None,
    caid: Annotated[
        int | None, hex_option(parse_caid, "Only cards of this CAID, such as 0B00.")
    ] = None,
    provider: Annotated[
        int | None, hex_option(parse_ident, "... and this provider, such as 030B00.")
    ] = None,
    sid: Annotated[int | None, hex_option(parse_sid, "... and this service, such as 1D80.")] = None,
    config: Annotated[
        Path | None, typer.Option("-C", "--config", metavar="FILE", help="CCcam.cfg, as for serve.")
    ] = None,
    toml: Annotated[
        Path | None, typer.Option("-T", "--toml", metavar="FILE", help="cccamd.toml, as for serve.")
    ] = None,
    as_data: AsData = False,
    freeze: Annotated[
        int | None,
        typer.Option("--freeze", min=1, metavar="N", help="Say whose fault freeze number N was."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write that freeze to FILE for a bug report, names and addresses replaced.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite FILE if it is there already.")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal", metavar="FILE", help="Look for that freeze in this journal, ask no server."
        ),
    ] = None,
) -> None:
    """Say which cards an account sees, which not and why, and what line to change.

    With --freeze it says whose fault a freeze was; `cccamd journal` and the page have the numbers.

    Asks the running server on its WEBINFO LISTEN PORT; without one it reads the files.

    Exit status: 0 the account can use a card, or the address may log in (or the freeze was found),
    1 it can use none, or may not, 2 a file cannot be read (or the freeze is not to be found).
    """
