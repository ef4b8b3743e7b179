"""`cccamd client`: print what to enter in a receiver or program for an account."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.command import AsData
from cccamd.cli.loading import deed
from cccamd.setup.recipes import PROGRAMS, Way


def _programs(incomplete: str) -> list[str]:
    return [name for name in PROGRAMS if name.startswith(incomplete)]


def _ways(incomplete: str) -> list[str]:
    return [way.value for way in Way if way.value.startswith(incomplete)]


@deed
def client(
    account: Annotated[str, typer.Argument(help="The user name of an F-line.")],
    program: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="PROGRAM",
            help=f"One of {', '.join(PROGRAMS)}.",
            autocompletion=_programs,
        ),
    ] = "cccam",
    over: Annotated[
        str,
        typer.Option(
            "--over",
            metavar="PROTOCOL",
            help="cccam, newcamd or dvbapi, if not the best that is open.",
            autocompletion=_ways,
        ),
    ] = "",
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="How the program reaches this machine.")
    ] = "",
    config: Annotated[
        Path | None, typer.Option("-C", "--config", metavar="FILE", help="Which CCcam.cfg.")
    ] = None,
    toml: Annotated[
        Path | None, typer.Option("-T", "--toml", metavar="FILE", help="Which cccamd.toml.")
    ] = None,
    as_data: AsData = False,
) -> None:
    """Print what to enter in a receiver or program, so that it logs in with an account.

    The account's password is part of it.

    Exit status: 0 printed, 1 nothing is open for that program, 2 no such account, or a file that
    cannot be used.
    """
