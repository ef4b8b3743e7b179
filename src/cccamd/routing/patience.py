"""How long a source is waited for, by its usual answer time. All in seconds."""

UNKNOWN_USUAL = 0.5
"""For a source that was never measured: up to then a picture has no stutter."""
FREEZE = 1.0
"""Whoever takes longer is only asked when there is nobody else, and not waited for alone."""
OVERDUE_FACTOR = 1.25
OVERDUE_LEAST = 0.05
"""Below this a difference is the network's and not the source's."""
STALLED_FACTOR = 2.5
STALLED_LEAST, STALLED_MOST = 0.4, 1.5
"""Three cards, one after the other, fit into a deadline."""
ASK_LIFETIME = 10.0
"""A crypto period: an answer that comes later opens nothing."""


def overdue_after(usual: float) -> float:
    """When another card is asked as well, if the budget allows."""
    seconds = OVERDUE_FACTOR * usual
    if seconds < OVERDUE_LEAST:
        return OVERDUE_LEAST
    return seconds if seconds < FREEZE else FREEZE


def stalled_after(usual: float, deadline: float) -> float:
    """When another card is asked whatever it costs.

    A source that always takes its time gets it, up to half of the deadline: asking two such
    sources for everything would not make either of them faster.
    """
    most = max(STALLED_MOST, min(OVERDUE_FACTOR * usual, deadline / 2))
    return min(max(STALLED_FACTOR * usual, STALLED_LEAST), most)
