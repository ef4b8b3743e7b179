"""`cccamd export`: give the configuration to another program."""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from cccamd.cli.command import failing_plainly
from cccamd.cli.importing import EXIT_LOST, EXIT_UNUSABLE, tell_lost
from cccamd.errors import CccamdError
from cccamd.setup.files import ConfigFileError
from cccamd.setup.moving import NewFile, write_files
from cccamd.setup.oscam import export_folder
from cccamd.setup.setup import load_setup

SECRET: Final = ("oscam.conf", "oscam.user", "oscam.server", "constant.cw")

app = typer.Typer(no_args_is_help=True, help="Give the configuration to another program.")


@app.callback()
def _group() -> None:
    """Give the configuration to another program."""


@app.command()
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
        exported = export_folder(setup.config, setup.toml, out=str(folder.resolve()))
        files = [NewFile(name, data, name in SECRET) for name, data in exported.files.items()]
        names = write_files(folder, files, force=force)
    if as_data:
        typer.echo(json.dumps({"lost": [each.as_json() for each in exported.lost]}, indent=2))
    else:
        typer.echo(f"written to {folder}: {', '.join(names)}")
        tell_lost(exported.lost)
    raise typer.Exit(EXIT_LOST if exported.lost else 0)
