"""`cccamd backup` and `cccamd restore`: configuration, node id, keys and journal in one file."""

import json
import logging
from pathlib import Path
from typing import Final

import typer

from cccamd import build
from cccamd.cli.command import NEW_CONFIG, failing_plainly
from cccamd.errors import CccamdError
from cccamd.setup.backup import BackupError, Places, read_archive, save
from cccamd.setup.cccamcfg import SEARCHED_PATHS
from cccamd.setup.nodeid import default_path
from cccamd.setup.restoring import finish, put_back
from cccamd.setup.setup import companion_paths, load_setup
from cccamd.setup.toml import FILE_NAME
from cccamd.wording import count

EXIT_TROUBLE: Final = 2


def backup(
    *,
    archive: Path,
    config: Path | None,
    toml: Path | None,
    node_id: Path | None,
    force: bool,
    as_data: bool,
) -> None:
    """Save configuration, companions, node id, keys and journal into one file (mode 0600)."""
    with failing_plainly("backup", CccamdError, OSError, status=EXIT_TROUBLE):
        places = places_of(config, toml, node_id)
        setup = load_setup(places.config, places.toml if places.toml.exists() else None)
        if setup.refused:
            # Else the keys of its cards would be missing, and nobody would know.
            raise BackupError(
                f"{setup.refusal}; so it is not known which files belong to it: cccamd check"
                " says what is wrong with it"
            )
        owned = (each.kind.owned_file(each.config, each.options) for each in setup.toml.cards)
        saved = save(
            archive,
            places,
            companions=companion_paths(setup.config),
            keys=[path for path in owned if path is not None],
            made_by=build(),
            force=force,
        )
    _tell("saved", saved, as_data=as_data)
    if wrong := sum(message.level >= logging.ERROR for message in setup.messages):
        errors = count(wrong, "error")
        typer.echo(
            f"The configuration has {errors}, and files that only such a line names are not in"
            " it: cccamd check",
            err=True,
        )


def restore(
    *,
    archive: Path,
    config: Path | None,
    toml: Path | None,
    node_id: Path | None,
    force: bool,
    as_data: bool,
) -> None:
    """Put back what `cccamd backup` saved; the server must not run."""
    with failing_plainly("restore", CccamdError, OSError, status=EXIT_TROUBLE):
        places = places_of(config, toml, node_id)
        if (finished := finish(places)) is not None:
            typer.echo(f"cccamd restore: {told_of(finished)}", err=True)
        contents = read_archive(archive, places)
        put_back(contents, places, force=force)
    paths = [each.path for each in contents]
    _tell("restored", paths, as_data=as_data)
    if not as_data and any(path.parent == places.state / "restored" for path in paths):
        typer.echo(f"Those in {places.state / 'restored'} lay elsewhere: move them there.")


def told_of(finished: list[Path]) -> str:
    """What became of a restore that was interrupted."""
    if not finished:
        return "a restore was interrupted before it changed anything; what was before is in use"
    files = ", ".join(map(str, finished))
    return f"a restore was interrupted, and is finished now: {files}"


def places_of(config: Path | None, toml: Path | None, node_id: Path | None) -> Places:
    """Where this machine has its files, by the options of a command."""
    path = config or next((path for path in SEARCHED_PATHS if path.is_file()), NEW_CONFIG)
    return Places(
        config=path.absolute(),
        toml=(toml or path.with_name(FILE_NAME)).absolute(),
        state=(node_id or default_path()).parent.absolute(),
    )


def _tell(what: str, paths: list[Path], *, as_data: bool) -> None:
    if as_data:
        typer.echo(json.dumps({what: [str(path) for path in paths]}, indent=2))
    else:
        typer.echo(f"{what}:")
        for path in paths:
            typer.echo(f"  {path}")
