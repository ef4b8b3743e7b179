"""How old entries are when the wall clock may be wrong.

A receiver without a battery starts in 1970 or, after a bad broadcast, years ahead. To prune by
such a clock would throw the journal away. So age is judged against a time of the journal's own,
which is kept in its file and never runs ahead of what was lived through:

* It goes on with the clock that nobody sets, for as long as the server runs.
* A wall clock that is up to two days ahead of it (a night, a weekend switched off) is believed.
* One that is further ahead is believed when the server has run for three days with it, in one run
  or in several, without its being set.
* One that is behind counts at once: whoever prunes by it prunes less.
"""

from dataclasses import dataclass
from typing import Final

BELIEVED: Final = 2 * 86_400.0
"""Seconds that the wall clock may be ahead of the journal's time."""
PROOF: Final = 3 * 86_400.0
"""Seconds of running with one wall clock after which it is believed, whatever it shows."""
SET: Final = 60.0
"""Seconds by which the clocks part when somebody sets the wall clock; less is its slow mending."""


@dataclass(slots=True)
class AgeClock:
    """The journal's own time. No clock is asked here: each look brings both."""

    time: float
    """Seconds since the epoch: what age is judged against."""
    proof: float = 0.0
    """Seconds of running that speak for a wall clock that is far ahead."""
    ahead: float = 0.0
    """How far it was ahead at the last look; 0: it is believed."""
    _wall: float = 0.0
    _steady: float | None = None
    """Both as at the last look of this run."""

    def look(self, wall: float, steady: float) -> float:
        """Return the time to judge age by. `steady`: seconds of a clock that nobody can set."""
        ran = 0.0 if self._steady is None else max(0.0, steady - self._steady)
        if self._steady is None:
            was_set = wall < self.time + self.ahead - SET
        else:
            was_set = abs(wall - self._wall - ran) > SET
        self._wall, self._steady = wall, steady
        self.time += ran
        self.proof = 0.0 if was_set else self.proof + ran
        gap = wall - self.time
        if gap <= BELIEVED or self.proof >= PROOF:
            self.time, self.proof, self.ahead = wall, 0.0, 0.0
        else:
            self.ahead = gap
        return self.time
