"""`cccamd kick`: end connections."""

from typing import Annotated

import typer

from cccamd.cli.command import AsData, NodeIdFile
from cccamd.cli.loading import staying


def kick(
    whom: Annotated[
        str, typer.Argument(help="An account, an address, or an address with its port.")
    ],
    node_id: NodeIdFile = None,
    as_data: AsData = False,
) -> None:
    """End the connections of an account or an address.

    Most receivers log in anew at once.

    Exit status: 0 done, 1 nobody is connected as or from there, 3 no server runs, or it is another
    user's.
    """
    with staying():
        from cccamd.acting import Kick
        from cccamd.cli.orders import order

    order("kick", Kick(whom), node_id, as_data=as_data)
