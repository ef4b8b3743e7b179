"""`cccamd install` and `cccamd uninstall`: be a service of this machine, and be it no more."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cccamd.cli.command import NEW_CONFIG
from cccamd.cli.loading import deed

Kind = Literal["systemd", "enigma2"]
"""The values of `cccamd.service.Flavour`, which the words of a command do not load."""
FLAVOUR = typer.Option("--for", help="The kind of system, where it is not found out.")
ROOT = typer.Option(
    "--root", metavar="DIR", file_okay=False, exists=True, help="Do it to the system in a folder."
)
YES = typer.Option("--yes", "-y", help="Do not ask.")
DRY_RUN = typer.Option("--dry-run", help="Only show what would be done.")
AS_DATA = typer.Option("--json", help="Print the steps as JSON; does them with --yes only.")


@deed
def install(
    config: Annotated[
        Path | None,
        typer.Option(
            "-C",
            "--config",
            metavar="FILE",
            help="CCcam.cfg; without it the first that exists in a usual place, else a new one,"
            f" {NEW_CONFIG}.",
        ),
    ] = None,
    program: Annotated[
        Path | None,
        typer.Option("--program", metavar="FILE", help="The cccamd to start; else this one."),
    ] = None,
    flavour: Annotated[Kind | None, FLAVOUR] = None,
    root: Annotated[Path, ROOT] = Path("/"),
    yes: Annotated[bool, YES] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only",
            help="The service may not change its CCcam.cfg, so accounts cannot be managed from its"
            " pages.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite a unit or script that you have changed.")
    ] = False,
    as_data: Annotated[bool, AS_DATA] = False,
) -> None:
    """Make the server a service that starts with this machine.

    With systemd: a system user `cccamd`, and a unit that takes all other rights away. On Enigma2: a
    start script for the softcam manager. Shows the steps first; CCcam.cfg keeps its content.

    Exit status: 0 done or shown, 1 not wanted after all, 2 it cannot be done.
    """


@deed
def uninstall(
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove node id, keys, journal and logs as well.")
    ] = False,
    flavour: Annotated[Kind | None, FLAVOUR] = None,
    root: Annotated[Path, ROOT] = Path("/"),
    yes: Annotated[bool, YES] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
    as_data: Annotated[bool, AS_DATA] = False,
) -> None:
    """Take the service away again; what you wrote yourself stays.

    Exit status: 0 done or shown, 1 not wanted after all, 2 it cannot be done.
    """
