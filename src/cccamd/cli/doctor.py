"""`cccamd doctor`: find out what is wrong with an installation, and what to do about it."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.command import AsData
from cccamd.cli.loading import deed


# `readable=False`: that a file cannot be read is for us to explain.
@deed
def doctor(
    config: Annotated[
        Path | None,
        typer.Option(
            "-C",
            "--config",
            metavar="FILE",
            readable=False,
            help="CCcam.cfg, if it is not in a usual place.",
        ),
    ] = None,
    toml: Annotated[
        Path | None,
        typer.Option(
            "-T",
            "--toml",
            metavar="FILE",
            readable=False,
            help="cccamd.toml, if it is not beside CCcam.cfg.",
        ),
    ] = None,
    node_id: Annotated[
        Path | None,
        typer.Option(
            "-n", "--node-id", metavar="FILE", readable=False, help="The file with our node id."
        ),
    ] = None,
    ntp: Annotated[
        list[str] | None,
        typer.Option(
            "--ntp",
            metavar="HOST",
            help="Ask this host for the time, instead of those set for this machine. May be"
            " given several times.",
        ),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Send nothing to other machines.")
    ] = False,
    as_data: AsData = False,
) -> None:
    """Examine this installation: what is wrong, how one sees it, and what to do.

    Give it the same options as the server. It changes nothing, and works whether the server
    runs or not; as root it sees more. Only hosts that your configuration names are contacted.

    Exit status, by the worst verdict: 0 ok or advice, 1 warning, 2 failure.
    """
