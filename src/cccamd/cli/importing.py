"""`cccamd import`: take over the configuration of another program."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.loading import deed

app = typer.Typer(no_args_is_help=True, help="Take over the configuration of another program.")


@app.callback()
def _group() -> None:
    """Take over the configuration of another program."""


@app.command()
@deed
def oscam(
    folder: Annotated[Path, typer.Argument(help="OSCam's folder.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to write.", show_default=False)
    ],
    as_data: Annotated[
        bool, typer.Option("--json", help="Print what is lost as JSON, for programs.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Turn a folder of OSCam into CCcam.cfg, cccamd.toml and their companions.

    What has no equivalent is reported with file, line and reason; no password or key is shown.
    docs/moving-from-oscam.md says what becomes what.

    Exit status: 0 nothing is lost, 3 something is, 2 nothing was written.
    """
