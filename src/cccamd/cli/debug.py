"""`cccamd debug`: log everything of one account for a while."""

import re
from typing import Annotated, Final

import typer

from cccamd.cli.command import AsData, NodeIdFile
from cccamd.cli.loading import staying

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


def _seconds(text: str) -> float:
    with staying():
        from cccamd.acting import LONGEST_DEBUG

    found = re.fullmatch(r"(\d{1,6})([smh]?)", text.strip().lower())
    seconds = int(found[1]) * _UNITS[found[2] or "m"] if found else LONGEST_DEBUG + 1
    if seconds > LONGEST_DEBUG:
        raise typer.BadParameter("write 30s, 15m or 2h, up to 24h; 0 ends it")
    return float(seconds)


def debug(
    account: Annotated[str, typer.Argument(help="The user name of an F-line.")],
    length: Annotated[
        str, typer.Option("--for", metavar="TIME", help="30s, 15m, 2h; 0 ends it.")
    ] = "15m",
    node_id: NodeIdFile = None,
    as_data: AsData = False,
) -> None:
    """Log everything of one account for a while: handshake, ECM requests, answers and their times.

    `cccamd log -f ACCOUNT` shows it.

    Exit status: 0 done, 2 this is no time, 3 no server runs, or it is another user's.
    """
    with staying():
        from cccamd.acting import Debug
        from cccamd.cli.orders import order

    order("debug", Debug(account, _seconds(length)), node_id, as_data=as_data)
