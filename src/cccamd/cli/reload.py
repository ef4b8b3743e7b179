"""`cccamd reload`: have the server read its files again."""

from cccamd.cli.command import AsData, NodeIdFile
from cccamd.cli.loading import staying


def reload(node_id: NodeIdFile = None, as_data: AsData = False) -> None:
    """Have the server read its files again, and say what changed and what is wrong.

    Files that cannot be taken change nothing: the server goes on with what it has.

    Exit status: 0 taken, 1 taken but for what is named, 2 not taken, 3 no server runs, or it is
    another user's.
    """
    with staying():
        from cccamd.acting import Reload
        from cccamd.cli.orders import order

    order("reload", Reload(), node_id, as_data=as_data)
