"""`cccamd link`: restart, pause or resume a link to another server."""

from typing import Annotated

import typer

from cccamd.cli.command import AsData, NodeIdFile
from cccamd.cli.loading import staying

_HELP = "Restart, pause or resume a link to another server."
app = typer.Typer(no_args_is_help=True, help=_HELP)
Name = Annotated[str, typer.Argument(help="Host and port as in its line, host:port; or the host.")]


@app.callback()
def _group() -> None:
    """Restart, pause or resume a link to another server."""


@app.command()
def restart(name: Name, node_id: NodeIdFile = None, as_data: AsData = False) -> None:
    """Log out there and in again, at once; also when the server waits before its next attempt.

    Exit status: 0 done, 1 there is no such link, 3 no server runs, or it is another user's.
    """
    with staying():
        from cccamd.acting import ChangeLink, LinkAct
        from cccamd.cli.orders import order

    order("link restart", ChangeLink(LinkAct.RESTART, name), node_id, as_data=as_data)


@app.command()
def pause(name: Name, node_id: NodeIdFile = None, as_data: AsData = False) -> None:
    """Log out there, and do not log in until `cccamd link resume`, or a restart of the server.

    Exit status: 0 done, 1 there is no such link, 3 no server runs, or it is another user's.
    """
    with staying():
        from cccamd.acting import ChangeLink, LinkAct
        from cccamd.cli.orders import order

    order("link pause", ChangeLink(LinkAct.PAUSE, name), node_id, as_data=as_data)


@app.command()
def resume(name: Name, node_id: NodeIdFile = None, as_data: AsData = False) -> None:
    """Log in again after a pause.

    Exit status: 0 done, 1 there is no such link, or it is not paused, 3 no server runs, or it is
    another user's.
    """
    with staying():
        from cccamd.acting import ChangeLink, LinkAct
        from cccamd.cli.orders import order

    order("link resume", ChangeLink(LinkAct.RESUME, name), node_id, as_data=as_data)
