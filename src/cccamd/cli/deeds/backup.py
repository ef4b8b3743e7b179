"""`cccamd backup` and `cccamd restore`: configuration, node id, keys and journal in one file."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import typer

from cccamd import build
from cccamd.cli.command import NEW_CONFIG, failing_plainly, told
from cccamd.errors import CccamdError
from cccamd.setup.backup import UNDER_WAY, BackupError, Places, read_archive, save
from cccamd.setup.cccamcfg import SEARCHED_PATHS
from cccamd.setup.nodeid import default_path
from cccamd.setup.restoring import finish, put_back
from cccamd.setup.setup import Setup, companion_paths, load_setup
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
        saved = save(
            archive,
            places,
            companions=companion_paths(setup.config),
            keys=_keys(setup),
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
    places = places_of(config, toml, node_id)
    with failing_plainly("restore", CccamdError, OSError, status=EXIT_TROUBLE), _half_done(places):
        if (finished := finish(places)) is not None:
            typer.echo(f"cccamd restore: {told_of(finished)}", err=True)
        contents = read_archive(archive, places)
        put_back(contents, places, force=force)
    paths = [each.path for each in contents]
    moved = _moved(paths, places)
    _tell("restored", paths, as_data=as_data, moved=moved)
    others = {path for path in paths if path.parent == places.state / "restored"}
    if not as_data and others - set(moved.values()):
        typer.echo(f"Those in {places.state / 'restored'} lay elsewhere: move them there.")


@contextmanager
def _half_done(places: Places) -> Iterator[None]:
    """Say of a disk that is full, or the like, how far it came."""
    try:
        yield
    except OSError as error:
        if not (places.state / UNDER_WAY).exists():
            raise
        what = "not all files are in their places; mend that, and run it again"
        raise BackupError(f"{told(error)}: {what}") from None


def _moved(restored: Sequence[Path], places: Places) -> dict[Path, Path]:
    """Files that the configuration names where they were, and where they are now."""
    now = {path.name: path for path in restored}
    try:
        setup = load_setup(places.config, places.toml if places.toml.exists() else None)
    except (CccamdError, OSError):
        return {}
    named = [*companion_paths(setup.config), *_keys(setup)]
    return {
        path: now[path.name]
        for path in named
        if path.name in now and path.absolute() not in restored
    }


def _keys(setup: Setup) -> list[Path]:
    owned = (each.kind.owned_file(each.config, each.options) for each in setup.toml.cards)
    return [path for path in owned if path is not None]


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


def _tell(
    what: str, paths: list[Path], *, as_data: bool, moved: Mapping[Path, Path] | None = None
) -> None:
    elsewhere = {str(old): str(new) for old, new in (moved or {}).items()}
    if as_data:
        found: dict[str, object] = {what: [str(path) for path in paths]}
        typer.echo(json.dumps(found | ({"moved": elsewhere} if elsewhere else {}), indent=2))
        return
    typer.echo(f"{what}:")
    for path in paths:
        typer.echo(f"  {path}")
    for old, new in elsewhere.items():
        typer.echo(f"The configuration names {old}: that is {new} now, so change the name there.")
