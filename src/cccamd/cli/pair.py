"""`cccamd pair`: have two servers know each other's key, so that a link between them is safe."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.command import AsData
from cccamd.cli.loading import deed


@deed
def pair(
    name: Annotated[
        str, typer.Argument(help="What to call the other server here.", show_default=False)
    ] = "",
    code: Annotated[
        str,
        typer.Argument(
            help="The code that `cccamd pair` shows there, or a file with it.", show_default=False
        ),
    ] = "",
    node_id: Annotated[
        Path | None,
        typer.Option(
            "-n",
            "--node-id",
            metavar="FILE",
            help="As of `cccamd serve`: the key and the list of paired servers lie beside it.",
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take another key for a name that has one.")
    ] = False,
    forget: Annotated[
        str, typer.Option("--forget", metavar="NAME", help="Undo the pairing with this server.")
    ] = "",
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="FILE", help="Write this server's code to a file, too."),
    ] = None,
    as_data: AsData = False,
) -> None:
    """Pair two servers: each is told the code of the other's key.

    Without NAME and CODE it shows this server's code, and which servers are paired. With them
    it takes the other's code. A running server knows at once.

    Exit status: 0 done, 2 nothing was changed.
    """
