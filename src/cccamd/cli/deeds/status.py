"""`cccamd status`: what goes on in the server that runs here."""

import io
import json
import sys
import time
from pathlib import Path
from typing import Final

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cccamd.cli.statusview import draw_status
from cccamd.cli.webreader import (
    NoAnswer,
    WebAddress,
    address_of_config,
    address_of_url,
    read_data,
    read_history,
    read_status,
)
from cccamd.setup.files import ConfigFileError

EXIT_NO_ANSWER: Final = 1
EXIT_UNUSABLE: Final = 2
WIDTH_OF_FILES: Final = 160
"""Columns where there is no terminal to ask."""


def run(
    *, watch: bool, interval: float, as_data: bool, config: Path | None, url: str | None
) -> None:
    """Show receivers, sources, cards and answer times of the running server."""
    try:
        address = address_of_config(config) if url is None else address_of_url(url)
        look = _Look(address, as_data=as_data)
        if watch:
            look.keep_showing(interval)
        else:
            look.show()
    except ConfigFileError as error:
        _fail(error, EXIT_UNUSABLE)
    except NoAnswer as error:
        _fail(error, EXIT_NO_ANSWER)
    except KeyboardInterrupt:
        raise typer.Exit from None


def _fail(error: Exception, code: int) -> None:
    typer.echo(f"cccamd status: {error}", err=True)
    raise typer.Exit(code)


class _Look:
    """Asks the server, and shows what it says."""

    def __init__(self, address: WebAddress, *, as_data: bool) -> None:
        self._address = address
        self._as_data = as_data
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a name that the terminal cannot show
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console = Console(highlight=False, width=WIDTH_OF_FILES)

    def show(self) -> None:
        """Show it once."""
        if self._as_data:
            typer.echo(json.dumps(self._data(), indent=2))
        else:
            self._console.print(self._draw())

    def keep_showing(self, interval: float) -> None:
        """Show it again and again; a server that is away now may come back."""
        if self._as_data:
            while True:
                typer.echo(json.dumps(self._data()))
                time.sleep(interval)
        self._draw()  # one that was never there is worth an error
        with Live(console=self._console, screen=self._console.is_terminal) as live:
            while True:
                live.update(self._draw_or_complain(), refresh=True)
                time.sleep(interval)

    def _draw_or_complain(self) -> Group:
        try:
            return self._draw()
        except NoAnswer as error:
            return Group(Text(f"{time.strftime('%H:%M:%S')}  {error}", "red"))

    def _draw(self) -> Group:
        status, history = read_status(self._address), read_history(self._address)
        return draw_status(status, history, width=self._console.width)

    def _data(self) -> object:
        return read_data(self._address, "/api/status")
