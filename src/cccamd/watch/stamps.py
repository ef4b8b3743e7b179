"""Times of the wall clock that somebody remembers, and what becomes of them when it is set.

Receivers have no clock of their own while they are off: they begin in 1970, and a minute later some
server of the network sets theirs by fifty years. A client is not logged in for longer by that.
"""

from typing import Final

FRESH: Final = 2.0
"""Seconds until a clock that was set is noticed; a younger stamp is of the new one."""


def followed(stamp: float, step: float, now: float) -> float:
    """The same moment by a clock that was set by `step` seconds, and shows `now`."""
    if 0 <= now - stamp <= FRESH:
        return stamp
    return min(stamp + step, now)
