"""How nodes write what they tell each other, as JSON, and read what comes from whoever it is."""

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from cccamd.ids import is_fleet_name

T = TypeVar("T")

TEXT_LIMIT: Final = 200
"""Characters of a name, an address, a word."""


def packed(told: object) -> bytes:
    """Make bytes of it."""
    return json.dumps(told, separators=(",", ":")).encode()


def unpacked(data: bytes, read: Callable[[Any], T]) -> T | None:
    """What `read` makes of it; None: it is of a node of another version, or of none."""
    try:
        return read(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


# Each takes a value as it is, or raises one of those.


def read_text(value: Any) -> str:
    """Letters that can be shown, and not too many."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > TEXT_LIMIT:
        raise ValueError
    return value


def read_name(value: Any) -> str:
    """The name of a node."""
    if not isinstance(value, str) or not is_fleet_name(value):
        raise ValueError
    return value


def read_number(value: Any, bits: int) -> int:
    """A whole number from 0 on, of so many bits."""
    if type(value) is not int or not 0 <= value < 1 << bits:
        raise ValueError
    return value


def read_hex(value: Any, length: int) -> bytes:
    """So many bytes."""
    data = bytes.fromhex(value)
    if len(data) != length:
        raise ValueError
    return data
