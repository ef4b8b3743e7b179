"""What commands share: how they read numbers, end when something fails, show strangers' texts.

Imports nothing heavy: `probe` starts quickly.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from cccamd.errors import NumberError

T = TypeVar("T")

NEW_CONFIG: Final = Path("/etc/cccam/CCcam.cfg")
"""Where a first CCcam.cfg is put; it is found there without being named (`SEARCHED_PATHS`)."""

AsData = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
"""The option that every command has (tests/cli/test_every_command.py)."""
NodeIdFile = Annotated[
    Path | None,
    typer.Option(
        "-n",
        "--node-id",
        metavar="FILE",
        help="The server's node id file, if it was started with -n: its socket is beside it.",
    ),
]
"""The option of all that tell a running server what to do."""


def hex_option(parse: Callable[[str], T], help_text: str, *names: str) -> Any:
    """Declare an option that `parse` reads; what it says of a mistake is shown.

    `parse` is one of `cccamd.ids`, or raises NumberError as they do.
    """

    def read(text: str) -> T:
        try:
            return parse(text)
        except NumberError as error:
            raise typer.BadParameter(str(error)) from None

    return typer.Option(*names, parser=read, metavar="HEX", help=help_text)


@contextmanager
def failing_plainly(command: str, *kinds: type[Exception], status: int) -> Iterator[None]:
    """End with the sentence of such an error, and this exit status, instead of a traceback."""
    try:
        yield
    except kinds as error:
        typer.echo(f"cccamd {command}: {told(error)}", err=True)
        raise typer.Exit(status) from None


def told(error: Exception) -> str:
    """What an error says, without the number of the system."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def answer(data: Mapping[str, object], text: str, *, as_data: bool) -> None:
    """Print what came of a command: as JSON for programs, else in words."""
    typer.echo(json.dumps(data, indent=2) if as_data else text)


def plain(text: str) -> str:
    """Keep a stranger's text from steering the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)
