"""`cccamd export`: give the configuration to another program."""

import json
from pathlib import Path
from typing import Final

import typer

from cccamd.cli.command import failing_plainly
from cccamd.cli.deeds.importing import EXIT_LOST, EXIT_UNUSABLE, tell_lost
from cccamd.errors import CccamdError
from cccamd.setup.files import ConfigFileError
from cccamd.setup.moving import NewFile, write_files
from cccamd.setup.oscam import export_folder
from cccamd.setup.setup import load_setup

SECRET: Final = ("oscam.conf", "oscam.user", "oscam.server", "constant.cw")


def run(
    *, folder: Path, config: Path | None, toml: Path | None, as_data: bool, force: bool
) -> None:
    """Turn CCcam.cfg and cccamd.toml into a folder of OSCam."""
    with failing_plainly("export oscam", CccamdError, OSError, status=EXIT_UNUSABLE):
        setup = load_setup(config, toml)
        beside = setup.sources.toml
        if beside is not None and beside.exists():
            # One that was found counts as one that was named: what it shuts must not be opened.
            setup = load_setup(setup.sources.config, beside)
        if setup.refused:
            raise CccamdError(setup.refusal)
        if setup.example is not None:
            raise ConfigFileError("CCcam.cfg", "there is none in the usual places; name it with -C")
        exported = export_folder(
            setup.config, setup.toml, out=str(folder.resolve()), companions=setup.companions
        )
        files = [NewFile(name, data, name in SECRET) for name, data in exported.files.items()]
        names = write_files(folder, files, force=force)
    if as_data:
        typer.echo(json.dumps({"lost": [each.as_json() for each in exported.lost]}, indent=2))
    else:
        typer.echo(f"written to {folder}: {', '.join(names)}")
        tell_lost(exported.lost)
    raise typer.Exit(EXIT_LOST if exported.lost else 0)
