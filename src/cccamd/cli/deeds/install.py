"""`cccamd install` and `cccamd uninstall`: be a service of this machine, and be it no more."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

import typer

from cccamd.cli.command import NEW_CONFIG, failing_plainly
from cccamd.cli.install import Kind
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


def install(
    *,
    config: Path | None,
    program: Path | None,
    flavour: Kind | None,
    root: Path,
    yes: bool,
    dry_run: bool,
    read_only: bool,
    force: bool,
    as_data: bool,
) -> None:
    """Make the server a service that starts with this machine."""
    with failing_plainly("install", CccamdError, OSError, status=EXIT_TROUBLE):
        root = root.resolve()
        kind = Flavour(flavour) if flavour else find_flavour(root)
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
    *,
    purge: bool,
    flavour: Kind | None,
    root: Path,
    yes: bool,
    dry_run: bool,
    as_data: bool,
) -> None:
    """Take the service away again."""
    with failing_plainly("uninstall", CccamdError, OSError, status=EXIT_TROUBLE):
        root = root.resolve()
        kind = Flavour(flavour) if flavour else find_flavour(root)
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
