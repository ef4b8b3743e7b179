"""`cccamd decode`: a recorded session made readable."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.command import AsData
from cccamd.cli.loading import deed


@deed
def decode(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A pcap or pcapng file; - reads a pipe.")
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            "-C", "--config", metavar="FILE", help="The CCcam.cfg that has the passwords and keys."
        ),
    ] = None,
    toml: Annotated[
        Path | None, typer.Option("-T", "--toml", metavar="FILE", help="Which cccamd.toml.")
    ] = None,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Show CWs and passwords, too: keep the output safe.")
    ] = False,
    as_data: AsData = False,
) -> None:
    """Show what was said in recorded sessions: CCcam, newcamd and dvbapi, both sides.

    Passwords and DES keys come from the configuration; a terminal is asked for what is missing.
    CWs and passwords are not shown without --secrets.

    Exit status: 0 all was read, 1 something could not be read (it is said what, and why) or no
    session is in it, 2 the file is no capture, is damaged or cannot be opened, or a configuration
    cannot be used.
    """
