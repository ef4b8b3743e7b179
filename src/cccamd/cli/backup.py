"""`cccamd backup` and `cccamd restore`: configuration, node id, keys and journal in one file."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.loading import deed

ARCHIVE = typer.Argument(metavar="FILE", help="The archive, a tar file.", show_default=False)
CONFIG = typer.Option("-C", "--config", metavar="FILE", help="CCcam.cfg, if not in a usual place.")
TOML = typer.Option("-T", "--toml", metavar="FILE", help="cccamd.toml, if not beside CCcam.cfg.")
NODE_ID = typer.Option("-n", "--node-id", metavar="FILE", help="The file with our node id.")
AS_DATA = typer.Option("--json", help="Print the files as JSON.")


@deed
def backup(
    archive: Annotated[Path, ARCHIVE],
    config: Annotated[Path | None, CONFIG] = None,
    toml: Annotated[Path | None, TOML] = None,
    node_id: Annotated[Path | None, NODE_ID] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    as_data: Annotated[bool, AS_DATA] = False,
) -> None:
    """Save configuration, companions, node id, keys and journal into one file (mode 0600).

    The server may run meanwhile. The file holds passwords and keys: keep it as you keep those.

    Exit status: 0 saved, 2 nothing was written.
    """


@deed
def restore(
    archive: Annotated[Path, ARCHIVE],
    config: Annotated[Path | None, CONFIG] = None,
    toml: Annotated[Path | None, TOML] = None,
    node_id: Annotated[Path | None, NODE_ID] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    as_data: Annotated[bool, AS_DATA] = False,
) -> None:
    """Put back what `cccamd backup` saved; the server must not run.

    All is checked before anything is written. What an interruption left undone is done when it is
    run again, or when the server starts. Two servers with one node id confuse each other's clients:
    stop the one that the backup is from.

    Exit status: 0 restored, 2 nothing was written, or not all: the message says.
    """
