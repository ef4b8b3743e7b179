"""How many requests may be asked twice only because an answer is late."""

SAVED_LIMIT = 10.0
"""So many extra requests may be saved up: a burst after a quiet hour stays a burst."""


class HedgeBudget:
    """Each request saves a share of an extra one; an extra one needs a whole."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = min(1.0, share * SAVED_LIMIT)

    def save(self) -> None:
        """A request was asked for the first time."""
        self._saved = min(self._saved + self._share, SAVED_LIMIT)

    def spend(self) -> bool:
        """Take an extra request out; False when there is none."""
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True
