"""`cccamd convert`: write an old CCcam.cfg in today's form."""

from pathlib import Path
from typing import Final

import typer

from cccamd.cli.command import answer, failing_plainly
from cccamd.errors import CccamdError
from cccamd.setup.cccamcfg import normalize, parse
from cccamd.setup.files import ConfigFileError, read_file
from cccamd.setup.moving import NewFile, write_files

EXIT_UNUSABLE: Final = 2


def run(*, file: Path, out: Path | None, force: bool, as_data: bool) -> None:
    """Write a CCcam.cfg in today's form: the same meaning, comments and order."""
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
