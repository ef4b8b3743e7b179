"""`cccamd convert`: write an old CCcam.cfg in today's form."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.command import AsData
from cccamd.cli.loading import deed


@deed
def convert(
    file: Annotated[Path, typer.Argument(help="The CCcam.cfg to read.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Write there; else to standard output."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    as_data: AsData = False,
) -> None:
    """Write a CCcam.cfg in today's form: the same meaning, comments and order.

    Old names of settings, small letters, `=`, missing blanks, commas too many, the form with a
    mask: all become what the last releases document. Lines that are in error, or have no
    effect, stay as they are; `cccamd check` tells of them. With --json the text, with the passwords
    in it, or the file it went to, stands in an object.

    Exit status: 0 done, 2 nothing was written.
    """
