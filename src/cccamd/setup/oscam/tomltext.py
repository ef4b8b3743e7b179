"""Writing the small part of TOML that cccamd.toml needs."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def value_text(value: object) -> str:
    """Write one value: text, number, switch, day, list, or a table within the line."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case date():
            return value.isoformat()
        case str():
            return f'"{"".join(map(_escaped, value))}"'
        case tuple() | list():
            return f"[{', '.join(map(value_text, value))}]"
        case Mapping():
            inner = ", ".join(
                f"{key_text(key)} = {value_text(each)}" for key, each in value.items()
            )
            return f"{{ {inner} }}"
        case _:
            raise TypeError(f"no TOML for {type(value).__name__}")


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    return letter if ord(letter) >= 0x20 and ord(letter) != 0x7F else f"\\u{ord(letter):04X}"


def key_text(key: str) -> str:
    """Write a key, in quotes where it needs them."""
    return key if _BARE_KEY.fullmatch(key) else value_text(key)


def table_text(header: str, values: Mapping[str, object]) -> str:
    """Write a table with its header, which may be empty, a key a line."""
    lines = [header] if header else []
    lines += [f"{key_text(key)} = {value_text(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"
