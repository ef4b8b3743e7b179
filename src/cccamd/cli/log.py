"""`cccamd log`: the last lines of the server's log."""

from typing import Annotated

import typer

from cccamd.cli.command import AsData, NodeIdFile
from cccamd.cli.loading import staying


def log(
    account: Annotated[
        str, typer.Argument(help="Whose lines; all of them without.", show_default=False)
    ] = "",
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with those to come, until Ctrl-C.")
    ] = False,
    node_id: NodeIdFile = None,
    as_data: AsData = False,
) -> None:
    """Show the last lines of the server's log, and follow it.

    With --json each line is an object, and the last one holds the status.

    Exit status: 0 shown, 3 no server runs, it is another user's, or it ended.
    """
    with staying():
        from cccamd.acting import ShowLog
        from cccamd.cli.orders import order

    order("log", ShowLog(account, follow), node_id, as_data=as_data)
