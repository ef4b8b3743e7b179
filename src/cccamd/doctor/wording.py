"""How numbers and lists are put into sentences."""

from collections.abc import Sequence

SHOWN_LIMIT = 3
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
    """`12 ms`, `0.4 ms`."""
    value = 1000 * seconds
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"
