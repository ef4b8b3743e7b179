"""`cccamd convert`: write an old CCcam.cfg in today's form."""

from pathlib import Path
from typing import Annotated, Final

import typer

from cccamd.cli.command import AsData, answer, failing_plainly
from cccamd.errors import CccamdError
from cccamd.setup.cccamcfg import normalize, parse
from cccamd.setup.files import ConfigFileError, read_file
from cccamd.setup.moving import NewFile, write_files

EXIT_UNUSABLE: Final = 2


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
    with failing_plainly("convert", CccamdError, OSError, status=EXIT_UNUSABLE):
        written = normalize(read_file(file))
        if written is None:
            raise ConfigFileError(str(file), "this is no CCcam.cfg; cccamd check says why")
        if out is not None:
            write_files(out.parent, [NewFile(out.name, written, True)], force=force)
    if as_data:
        answer({"file": str(out)} if out else _as_data(written), "", as_data=True)
    elif out is None:
        typer.echo(written, nl=False)


def _as_data(written: bytes) -> dict[str, object]:
    """The text in letters; the encoding is that of the file, which is kept."""
    encoding = parse(written).encoding or "utf-8"
    return {"text": written.decode(encoding), "encoding": encoding}
