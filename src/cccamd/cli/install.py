"""`cccamd install` and `cccamd uninstall`: be a service of this machine, and be it no more."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Final

import typer

from cccamd.cli.command import failing_plainly
from cccamd.errors import CccamdError
from cccamd.service import (
    Flavour,
    Machine,
    ServiceError,
    Step,
    as_json,
    carry_out,
    find_flavour,
    installed_config,
    plan_install,
    plan_uninstall,
)
from cccamd.setup.cccamcfg import SEARCHED_PATHS

EXIT_DECLINED: Final = 1
EXIT_TROUBLE: Final = 2
NEW_CONFIG: Final = PurePosixPath("/etc/cccam/CCcam.cfg")

FLAVOUR = typer.Option("--for", help="The kind of system, where it is not found out.")
ROOT = typer.Option(
    "--root", metavar="DIR", file_okay=False, exists=True, help="Do it to the system in a folder."
)
YES = typer.Option("--yes", "-y", help="Do not ask.")
DRY_RUN = typer.Option("--dry-run", help="Only show what would be done.")
AS_DATA = typer.Option("--json", help="Print the steps as JSON; does them with --yes only.")


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
    flavour: Annotated[Flavour | None, FLAVOUR] = None,
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
    with failing_plainly("install", CccamdError, OSError, status=EXIT_TROUBLE):
        root = root.resolve()
        kind = flavour or find_flavour(root)
        machine = Machine(
            root=root,
            program=PurePosixPath((program or _this_program()).absolute()),
            config=_config_to_read(config, kind, root),
            read_only=read_only,
        )
        steps = plan_install(kind, machine, force=force)
        done = _go_through(steps, root, yes=yes, dry_run=dry_run, as_data=as_data)
    if done and not as_data:
        typer.echo(_afterwards(kind, machine))


def uninstall(
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove node id, keys, journal and logs as well.")
    ] = False,
    flavour: Annotated[Flavour | None, FLAVOUR] = None,
    root: Annotated[Path, ROOT] = Path("/"),
    yes: Annotated[bool, YES] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
    as_data: Annotated[bool, AS_DATA] = False,
) -> None:
    """Take the service away again; what you wrote yourself stays.

    Exit status: 0 done or shown, 1 not wanted after all, 2 it cannot be done.
    """
    with failing_plainly("uninstall", CccamdError, OSError, status=EXIT_TROUBLE):
        root = root.resolve()
        kind = flavour or find_flavour(root)
        machine = Machine(
            root=root,
            program=PurePosixPath(_this_program()),
            config=_config_to_read(None, kind, root),
        )
        steps = plan_uninstall(kind, machine, purge=purge)
        _go_through(steps, root, yes=yes, dry_run=dry_run, as_data=as_data)


def _this_program() -> Path:
    return Path(sys.executable).with_name("cccamd")


def _config_to_read(named: Path | None, kind: Flavour, root: Path) -> PurePosixPath:
    """The CCcam.cfg as the installed system sees it."""
    if named is not None:
        return PurePosixPath(named if root != Path("/") else named.absolute())
    known = installed_config(kind, root)
    if known is not None:
        return known
    there = (path for path in SEARCHED_PATHS if (root / path.relative_to("/")).is_file())
    return PurePosixPath(next(there, NEW_CONFIG))


def _go_through(
    steps: Sequence[Step], root: Path, *, yes: bool, dry_run: bool, as_data: bool
) -> bool:
    """Show the steps, ask, and do them; return whether they were done."""
    wanted = not dry_run and (yes or not as_data)
    if as_data:
        shown = [as_json(step) for step in steps]
        if wanted:
            _do_all(steps, root)
        typer.echo(json.dumps({"done": wanted, "steps": shown}, indent=2))
        return wanted
    for step in steps:
        typer.echo(f"  {step}")
    if not steps:
        typer.echo("There is nothing to do.")
    if not wanted or not steps:
        return False
    if not yes and not typer.confirm("Do that?"):
        raise typer.Exit(EXIT_DECLINED)
    _do_all(steps, root)
    typer.echo("Done.")
    return True


def _do_all(steps: Sequence[Step], root: Path) -> None:
    if os.geteuid() != 0:
        raise ServiceError("this needs root: sudo")
    for _ in carry_out(steps, root):
        pass


def _afterwards(kind: Flavour, machine: Machine) -> str:
    if kind is Flavour.ENIGMA2:
        return "Choose cccamd in the softcam manager of the image, or run its start script."
    if machine.runs_systemd:
        return f"It serves. Accounts go into {machine.config}; cccamd doctor looks after it all."
    return "It starts with the machine."
