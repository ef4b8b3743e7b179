"""`cccamd import`: take over the configuration of another program."""

import json
from pathlib import Path
from typing import Final

import typer

from cccamd.cli.command import failing_plainly, plain
from cccamd.errors import CccamdError
from cccamd.setup.moving import NewFile, read_folder, write_files
from cccamd.setup.oscam import FILES, MAIN_FILES, Imported, Lost, Written, import_folder

EXIT_UNUSABLE: Final = 2
EXIT_LOST: Final = 3


def run(*, folder: Path, out: Path, as_data: bool, force: bool) -> None:
    """Turn a folder of OSCam into CCcam.cfg, cccamd.toml and their companions."""
    with failing_plainly("import oscam", CccamdError, OSError, status=EXIT_UNUSABLE):
        source = read_folder(folder, FILES, MAIN_FILES)
        imported = import_folder(source.files, source.find, out=str(out.resolve()))
        names = write_files(out, list(_files(imported.written)), force=force)
    if as_data:
        typer.echo(json.dumps({"lost": [each.as_json() for each in imported.lost]}, indent=2))
    else:
        _tell(imported, out, names)
    raise typer.Exit(EXIT_LOST if imported.lost else 0)


def _files(written: Written) -> list[NewFile]:
    found = (
        ("CCcam.cfg", written.cccam_cfg, True),
        ("cccamd.toml", written.cccamd_toml, True),
        ("CCcam.channelinfo", written.channelinfo, False),
        ("CCcam.providers", written.providers, False),
        ("CCcam.prio", written.prio, False),
    )
    return [NewFile(name, data, secret) for name, data, secret in found if data is not None]


def _tell(imported: Imported, out: Path, names: list[str]) -> None:
    typer.echo(f"written to {out}: {', '.join(names)}")
    for note in imported.notes:
        typer.echo(f"note: {plain(note)}")
    tell_lost(imported.lost)
    if imported.lost:
        typer.echo(f"\n{len(imported.lost)} not carried over, or not wholly")
    next_ones = [name for name in ("CCcam.cfg", "cccamd.toml") if name in names]
    typer.echo("\nNext: " + ", ".join(f"cccamd check {out / name}" for name in next_ones))


def tell_lost(lost: tuple[Lost, ...]) -> None:
    """List what is not carried over, for people."""
    for each in lost:
        typer.echo(plain(str(each)))
