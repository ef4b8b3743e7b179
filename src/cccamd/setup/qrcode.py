"""A text as a QR code: to be read by the camera of a phone or tablet."""

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import segno


def print_code(text: str, out: TextIO) -> None:
    """Draw it in a terminal with half blocks, two rows of dots in a line."""
    _code(text).terminal(out=out, compact=True)


def code_address(text: str) -> str:
    """The picture of it as an address that holds all of it (`data:`), black on white."""
    return _code(text).svg_data_uri(scale=4, border=3, light="#fff", dark="#000")


def _code(text: str) -> "segno.QRCode":
    import segno  # not for those who draw none

    return segno.make(text, error="l", micro=False)
