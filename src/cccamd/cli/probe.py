"""`cccamd probe`: log in to one's own server as a receiver would, and say how far it got."""

from functools import partial
from typing import Annotated

import typer

from cccamd.cli.command import AsData, hex_option
from cccamd.cli.loading import deed, staying
from cccamd.ids import (
    CONFIG_KEY_LENGTH,
    PORT_LIMIT,
    parse_caid,
    parse_hex,
    parse_ident,
    parse_sid,
)


def _ecm(text: str) -> bytes:
    with staying():
        from cccamd.wire.cccam import ECM_LIMIT

    return parse_hex(text, low=1, high=ECM_LIMIT)


@deed
def probe(
    host: Annotated[str, typer.Argument(help="Name or address of your server.")],
    port: Annotated[int, typer.Argument(help="Its port, usually 12000.", min=1, max=PORT_LIMIT)],
    user: Annotated[str, typer.Argument(help="User name of an F-line of that server.")],
    password: Annotated[str, typer.Argument(help="Its password.")],
    ecm: Annotated[
        bytes | None,
        hex_option(_ecm, "An ECM section to have decoded."),
    ] = None,
    caid: Annotated[
        int | None, hex_option(parse_caid, "CAID of the ECM, for instance 7F00.")
    ] = None,
    provider: Annotated[
        int | None, hex_option(parse_ident, "Provider of the ECM; 0: any of the CAID.")
    ] = None,
    sid: Annotated[int | None, hex_option(parse_sid, "Service of the ECM; 0: unknown.")] = None,
    newcamd: Annotated[
        bool, typer.Option("--newcamd", help="It is a newcamd port, not a CCcam one.")
    ] = False,
    key: Annotated[
        bytes | None,
        hex_option(
            partial(parse_hex, low=CONFIG_KEY_LENGTH, high=CONFIG_KEY_LENGTH),
            "The DES key of a newcamd port, if it is not the usual one (01 02 ... 14).",
        ),
    ] = None,
    as_data: AsData = False,
) -> None:
    """Log in to your own server as a receiver would, and say how far it got.

    Exit status: 0 all that was asked for came, 1 something did not.
    """
