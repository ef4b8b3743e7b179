"""The median. `statistics` has one, too: a MiB, and ten milliseconds of the loop to load it."""

from collections.abc import Iterable


def median(values: Iterable[float]) -> float:
    """The middle one of some values, or between the two in the middle; there must be one."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
