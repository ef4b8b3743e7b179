"""`cccamd cas`: a laboratory head-end for the open test CAS (docs/open-cas.md)."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.command import AsData, hex_option
from cccamd.cli.loading import deed
from cccamd.ids import parse_caid, parse_hex, parse_ident, parse_key_id, parse_sid
from cccamd.values import CW_LENGTH, SA_LENGTH, UA_LENGTH

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Be a small head-end for the open test CAS, in a laboratory.\n\n"
        "To start: new-headend makes a head-end, new-key gives it a service key, new-card "
        "makes the file of a card that holds the key. Then ecm and emm print sections as hex."
    ),
)


def _read_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("expected a time like 2027-01-31T18:00") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.replace(microsecond=0)


HeadEndFile = Annotated[Path, typer.Argument(metavar="HEADEND", help="The head-end's file.")]
CardFile = Annotated[Path, typer.Argument(metavar="CARDFILE", help="The file of a card.")]
_read_ua = partial(parse_hex, low=UA_LENGTH)
_read_sa = partial(parse_hex, low=SA_LENGTH)
_read_cw = partial(parse_hex, low=CW_LENGTH, meaning="even CW, then odd CW")


@app.command("new-headend")
@deed
def new_headend(
    path: HeadEndFile,
    caid: Annotated[
        int, hex_option(parse_caid, "The CAID of your system, 4 hex digits.", "--caid")
    ],
    as_data: AsData = False,
) -> None:
    """Make a head-end: a file with the secrets of everything that comes later.

    Exit status: 0 done, 1 it cannot be done, and the message says why.
    """


@app.command("new-key")
@deed
def new_key(
    path: HeadEndFile,
    key_id: Annotated[
        int, hex_option(parse_key_id, "The key's name, 4 hex digits; renews a key.", "--id")
    ],
    days: Annotated[
        int, typer.Option(min=1, max=3650, help="How many days from now on it opens ECMs.")
    ] = 30,
    expires: Annotated[
        datetime | None,
        typer.Option(parser=_read_moment, metavar="TIME", help="UTC; instead of --days."),
    ] = None,
    as_data: AsData = False,
) -> None:
    """Make a random service key. Cards decode ECMs under it until it expires.

    Exit status: 0 done, 1 it cannot be done, and the message says why.
    """


@app.command("new-group")
@deed
def new_group(
    path: HeadEndFile,
    sa: Annotated[bytes, hex_option(_read_sa, "The group's shared address, 8 digits.", "--sa")],
    ident: Annotated[
        int | None, hex_option(parse_ident, "The group's provider, else 000000.", "--ident")
    ] = None,
    as_data: AsData = False,
) -> None:
    """Make a group: EMMs to its shared address reach all cards made with it.

    Exit status: 0 done, 1 it cannot be done, and the message says why.
    """


@app.command("new-card")
@deed
def new_card(
    path: HeadEndFile,
    card_file: CardFile,
    ua: Annotated[
        bytes | None,
        hex_option(_read_ua, "The card's unique address, 16 digits; else a random one.", "--ua"),
    ] = None,
    group: Annotated[
        list[bytes] | None, hex_option(_read_sa, "SA of a group of it; repeatable.", "--group")
    ] = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Without service keys: EMMs have to bring them.")
    ] = False,
    as_data: AsData = False,
) -> None:
    """Make the file of a new card, and print the table for cccamd.toml that serves it.

    Exit status: 0 done, 1 it cannot be done, and the message says why.
    """


@app.command("ecm")
@deed
def ecm(
    path: HeadEndFile,
    key_id: Annotated[int, hex_option(parse_key_id, "Name of the service key.", "--key")],
    sid: Annotated[int, hex_option(parse_sid, "The service, 4 hex digits.", "--sid")],
    period: Annotated[
        int | None,
        typer.Option(min=0, max=0xFFFFFFFF, help="Number of the crypto period; else by the clock."),
    ] = None,
    cw: Annotated[
        bytes | None,
        hex_option(_read_cw, "Even CW, then odd CW; else random ones.", "--cw"),
    ] = None,
    show_cw: Annotated[
        bool, typer.Option("--show-cw", help="Print the CW behind the ECM: for your scrambler.")
    ] = False,
    as_data: AsData = False,
) -> None:
    """Print an ECM as hex.

    Exit status: 0 done, 1 it cannot be done, and the message says why.
    """


@app.command("emm")
@deed
def emm(
    path: HeadEndFile,
    card: Annotated[bytes | None, hex_option(_read_ua, "To the card of this UA.", "--card")] = None,
    group: Annotated[
        bytes | None, hex_option(_read_sa, "To the cards of the group of this SA.", "--group")
    ] = None,
    to_all: Annotated[bool, typer.Option("--all", help="To all cards of the head-end.")] = False,
    set_key: Annotated[
        list[int] | None,
        hex_option(parse_key_id, "Service key to add or renew; repeatable.", "--set"),
    ] = None,
    revoke: Annotated[
        list[int] | None,
        hex_option(parse_key_id, "Service key to take away; repeatable.", "--revoke"),
    ] = None,
    as_data: AsData = False,
) -> None:
    """Print an EMM as hex: it gives cards service keys, or takes them away.

    Exit status: 0 done, 1 it cannot be done, and the message says why.
    """


@app.command("show")
@deed
def show(card_file: CardFile, as_data: AsData = False) -> None:
    """Show what a card file holds, without its keys.

    Exit status: 0 done, 1 it cannot be done, and the message says why.
    """
