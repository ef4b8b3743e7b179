"""How numbers, times and lists are put into sentences for people, wherever they are shown."""

from collections.abc import Sequence
from typing import Final

SHOWN_LIMIT: Final = 3
"""Items of a list that a sentence names before it says "and so on"."""


def count(number: int, noun: str) -> str:
    """`1 card`, `2 cards`."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join((", ".join(items[:-1]), items[-1])) if len(items) > 1 else "".join(items)


def some_of(items: Sequence[str]) -> str:
    """Name the first few, and say how many more there are."""
    if len(items) <= SHOWN_LIMIT:
        return listed(items)
    return f"{', '.join(items[:SHOWN_LIMIT])} and {len(items) - SHOWN_LIMIT} more"


def milliseconds(seconds: float) -> str:
    """Show an answer time: `43 ms`, `0.2 ms`."""
    value = 1000 * seconds
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def span(seconds: float) -> str:
    """Show how long, as short as it can be understood: `4 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        return f"{whole // 3600} h {whole // 60 % 60} min"
    return f"{whole // 86_400} d {whole // 3600 % 24} h"


def lasted(seconds: float, times: int = 1) -> str:
    """How long a trouble was there: `12 min`, `12 min, in which it came 6 times`."""
    return span(seconds) if times == 1 else f"{span(seconds)}, in which it came {times} times"


def ago(seconds: float) -> str:
    """Show a length of time roughly: `3 min`."""
    seconds = max(0.0, seconds)
    for size, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds / size)} {name}"
    return f"{seconds:.0f} s"
