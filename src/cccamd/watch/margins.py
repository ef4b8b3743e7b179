"""Where the margins of a channel are heading."""

from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import Final

from cccamd.facts import Margin

MARGINS_KEPT: Final = 12
MARGINS_NEEDED: Final = 5
"""Fewer make no trend."""
HORIZON: Final = 12
"""Crypto periods; what lies further ahead is no forecast but a guess."""
STEEP: Final = 0.01
"""Seconds that must be lost in each second, so that noise is no trend."""


def seconds_to_zero(margins: Sequence[Margin], period: float) -> float | None:
    """Say in how many seconds the margin will be used up; None: it will not be soon.

    The slope is the median of those between all pairs: a single stall is no trend.
    """
    if len(margins) < MARGINS_NEEDED:
        return None
    first, last = margins[0], margins[-1]
    if first.seconds - last.seconds < STEEP * (last.at - first.at):
        return None  # by far the most: so quickly seen that it may be asked each time
    slopes = [
        (later.seconds - sooner.seconds) / (later.at - sooner.at)
        for sooner, later in combinations(margins, 2)
        if later.at > sooner.at
    ]
    slope = median(slopes) if slopes else 0.0
    if slope > -STEEP:
        return None
    left = max(0.0, median(margin.seconds for margin in tuple(margins)[-3:]) / -slope)
    return left if left <= HORIZON * period else None
