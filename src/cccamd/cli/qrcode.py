"""A text as a QR code in the terminal: to be read by the camera of a phone or tablet."""

import sys


def print_code(text: str) -> None:
    """Draw it with half blocks, two rows of dots in a line."""
    import segno  # not for those who draw none

    segno.make(text, error="l", micro=False).terminal(out=sys.stdout, compact=True)
