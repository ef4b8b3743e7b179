"""`cccamd unban`: forget failed logins."""

from typing import Annotated

import typer

from cccamd.cli.command import AsData, NodeIdFile
from cccamd.cli.loading import staying


def unban(
    address: Annotated[str, typer.Argument(help="An address, or a network as `status` names it.")],
    node_id: NodeIdFile = None,
    as_data: AsData = False,
) -> None:
    """Forget the failed logins from an address, so that it may log in at once.

    Exit status: 0 done, 1 none has failed lately, 2 this is no address, 3 no server runs, or it is
    another user's.
    """
    with staying():
        from cccamd.acting import Unban
        from cccamd.cli.orders import order

    order("unban", Unban(address), node_id, as_data=as_data)
