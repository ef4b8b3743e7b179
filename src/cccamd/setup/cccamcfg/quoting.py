"""Pieces of the file inside messages, without secrets and without control characters."""

import re

_QUOTE_LIMIT = 40

# What cannot be a password that slipped into the wrong place. Outside of braces: small
# numbers, switches and signs; inside, what limits, services and time frames are made of.
_HARMLESS_FIELD = re.compile(r"[0-9]{1,3}|yes|no|[{},()]", re.IGNORECASE)
_HARMLESS_ENTRY = re.compile(
    r"[0-9a-f]{1,4}|[0-9a-f]{1,5}:[0-9a-f]{1,7}(?::[0-9a-f]{0,4})?"
    r"|[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    """Replace what a terminal could take for a command; the length stays."""
    return "".join(char if char.isprintable() else "?" for char in text)


def quoted(text: str) -> str:
    """Show a piece of the file that is known to hold no secret."""
    shown = text if len(text) <= _QUOTE_LIMIT else f"{text[: _QUOTE_LIMIT - 1]}…"
    return f"'{printable(shown)}'"


def quoted_entry(text: str) -> str:
    """Show an entry of a brace group, unless it might be a password in the wrong place."""
    return quoted(text) if is_harmless_entry(text) else "this entry"


def is_harmless_field(word: str) -> bool:
    """Tell whether a word of a letter line may be shown wherever it stands."""
    return _HARMLESS_FIELD.fullmatch(word) is not None


def is_harmless_entry(word: str) -> bool:
    """Tell whether a word inside braces may be shown."""
    return _HARMLESS_ENTRY.fullmatch(word) is not None
