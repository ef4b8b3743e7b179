"""`cccamd account`: add, show, switch and remove the accounts of CCcam.cfg."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.command import AsData, NodeIdFile
from cccamd.cli.loading import deed

app = typer.Typer(
    no_args_is_help=True, help="Add, show, switch and remove the accounts of CCcam.cfg."
)
Name = Annotated[str, typer.Argument(help="The user name.", show_default=False)]
Config = Annotated[
    Path | None, typer.Option("-C", "--config", metavar="FILE", help="Which CCcam.cfg.")
]
Toml = Annotated[
    Path | None, typer.Option("-T", "--toml", metavar="FILE", help="Which cccamd.toml.")
]
Host = Annotated[
    str, typer.Option("--host", metavar="HOST", help="How programs reach this machine.")
]
Code = Annotated[bool, typer.Option("--qr/--no-qr", help="Draw the C-line as a QR code, too.")]


@app.callback()
def _group() -> None:
    """Add, show, switch and remove the accounts of CCcam.cfg."""


@app.command()
@deed
def add(
    name: Name,
    rest: Annotated[
        str,
        typer.Option(
            "--rights",
            metavar="TEXT",
            help="What follows the password in the F-line: '1 0 0 { 0:0:1 }'.",
        ),
    ] = "",
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Ask for the password, or read a line of it; else one is made."),
    ] = False,
    config: Config = None,
    toml: Toml = None,
    host: Host = "",
    code: Code = True,
    node_id: NodeIdFile = None,
    as_data: AsData = False,
) -> None:
    """Add an account, have the server take it, and print what to enter in each program.

    Nothing else in the file changes. A password is made; it is never taken from the command line,
    where every user of this machine could read it.

    Exit status: 0 done, 1 written, and the server has not taken it, 2 nothing was changed.
    """


@app.command()
@deed
def show(
    name: Name,
    config: Config = None,
    toml: Toml = None,
    host: Host = "",
    code: Code = True,
    as_data: AsData = False,
) -> None:
    """Print what to enter in each program for an account. Its password is part of it.

    Exit status: 0 shown, 1 the account is switched off, 2 there is none, or a file cannot be used.
    """


@app.command()
@deed
def disable(
    name: Name, config: Config = None, node_id: NodeIdFile = None, as_data: AsData = False
) -> None:
    """Switch an account off: its line becomes a remark, and its receivers are sent away.

    Exit status: 0 done, 1 written, and the server has not taken it, 2 nothing was changed.
    """


@app.command()
@deed
def enable(
    name: Name, config: Config = None, node_id: NodeIdFile = None, as_data: AsData = False
) -> None:
    """Switch an account on again, as it was.

    Exit status: 0 done, 1 written, and the server has not taken it, 2 nothing was changed.
    """


@app.command()
@deed
def remove(
    name: Name, config: Config = None, node_id: NodeIdFile = None, as_data: AsData = False
) -> None:
    """Take an account out of the file, also one that is switched off.

    Exit status: 0 done, 1 written, and the server has not taken it, 2 nothing was changed.
    """
