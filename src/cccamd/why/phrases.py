"""How explanations write times, limits and lists."""

from cccamd.cards import Limit
from cccamd.ids import format_caid, format_ident


def ago(seconds: float) -> str:
    """Show a length of time roughly: `3 min`."""
    seconds = max(0.0, seconds)
    for size, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def milliseconds(seconds: float) -> str:
    """Show an answer time: `43 ms`, `0.2 ms`."""
    number = 1000 * seconds
    return f"{number:.1f} ms" if number < 10 else f"{number:.0f} ms"


def limit_entry(limit: Limit) -> str:
    """Show an entry of a brace group as people write it: `0B00:030B00:0`."""
    caid = format_caid(limit.caid) if limit.caid else "0"
    ident = format_ident(limit.ident) if limit.ident else "0"
    return f"{caid}:{ident}:{limit.number}"


def count(number: int, noun: str) -> str:
    """`1 card`, `2 cards`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
