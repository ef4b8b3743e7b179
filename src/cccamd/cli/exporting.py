"""`cccamd export`: give the configuration to another program."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.loading import deed

app = typer.Typer(no_args_is_help=True, help="Give the configuration to another program.")


@app.callback()
def _group() -> None:
    """Give the configuration to another program."""


@app.command()
@deed
def oscam(
    folder: Annotated[Path, typer.Argument(help="Where to write.", show_default=False)],
    config: Annotated[
        Path | None, typer.Option("-C", "--config", metavar="FILE", help="The CCcam.cfg to read.")
    ] = None,
    toml: Annotated[
        Path | None, typer.Option("-T", "--toml", metavar="FILE", help="The cccamd.toml to read.")
    ] = None,
    as_data: Annotated[
        bool, typer.Option("--json", help="Print what is lost as JSON, for programs.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Turn CCcam.cfg and cccamd.toml into a folder of OSCam: oscam.conf, oscam.user, oscam.server.

    What OSCam cannot say is reported with file, line and reason.

    Exit status: 0 nothing is lost, 3 something is, 2 nothing was written.
    """
