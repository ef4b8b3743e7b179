"""`cccamd fleet`: what several nodes with one engine need (docs/fleet.md)."""

from pathlib import Path
from typing import Annotated, Final

import typer

from cccamd.cli.command import AsData, answer, failing_plainly, plain
from cccamd.cli.loading import staying
from cccamd.errors import CccamdError

EXIT_UNUSABLE: Final = 2

app = typer.Typer(
    help="Prepare several servers for one fleet.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def _group() -> None:
    """Have typer keep the name of the only command."""


@app.command("key")
def key(
    file: Annotated[Path, typer.Argument(help="Where to write it.", show_default=False)],
    as_data: AsData = False,
) -> None:
    """Make the secret key of a new fleet, in a file that its owner alone can read.

    All nodes need the same: copy the file to each, and name it there in cccamd.toml, [fleet]
    key_file.

    Exit status: 0 made, 2 the file is there already, or cannot be written.
    """
    with staying():
        from cccamd.fleet.keyfile import make_key

    with failing_plainly("fleet key", CccamdError, status=EXIT_UNUSABLE):
        make_key(file)
        said = f"{plain(str(file))} holds a new fleet key. Copy it to all nodes: who has it is one."
        answer({"file": str(file)}, said, as_data=as_data)
