"""Options that several commands share. Imports nothing heavy: `probe` starts quickly."""

from collections.abc import Callable
from typing import Any, TypeVar

import typer

from cccamd.errors import NumberError

T = TypeVar("T")


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
