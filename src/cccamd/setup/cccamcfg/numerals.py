"""Numbers as people write them in CCcam.cfg: decimal or hex, ASCII digits only."""

import re

# Far above any number that means something here, far below what makes int() slow or fail.
_DECIMAL = re.compile(r"0*([0-9]{1,18})")
_HEX = re.compile(r"[0-9A-Fa-f]+")


def decimal(text: str) -> int | None:
    """Read decimal digits without sign, or None."""
    found = _DECIMAL.fullmatch(text)
    return int(found[1]) if found else None


def decimal_between(text: str, low: int, high: int) -> int | None:
    """Read a decimal number from `low` to `high`, both included, or None."""
    number = decimal(text)
    return number if number is not None and low <= number <= high else None


def hexadecimal(text: str, *, max_digits: int) -> int | None:
    """Read one to `max_digits` hex digits without prefix, or None."""
    return int(text, 16) if len(text) <= max_digits and _HEX.fullmatch(text) else None
