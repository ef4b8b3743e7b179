"""`cccamd check`: read a CCcam.cfg as the server would, and say what is wrong with it."""

from typing import Annotated

import typer

from cccamd.cli.loading import deed


@deed
def check(
    file: Annotated[str, typer.Argument(help="The CCcam.cfg to read; - reads standard input.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for warnings, too, not only for errors.")
    ] = False,
    as_data: Annotated[
        bool, typer.Option("--json", help="Print what was read as JSON, for programs.")
    ] = False,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="With --json: print passwords and keys, too.")
    ] = False,
) -> None:
    """Read a CCcam.cfg and report each line that does not do what it seems to say.

    The CCcam.prio, CCcam.channelinfo and CCcam.providers that it names are read, too. A file
    that ends with .toml is read as cccamd.toml.

    Exit status: 0 no errors, 1 errors, 2 the file cannot be read.
    """
