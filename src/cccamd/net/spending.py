"""What accounts spend at the nodes of a fleet: so that their limits are those of the fleet.

Each node has buckets of its own (`Quota`) and asks nobody before it takes anything. Once a second
it tells what each account has spent, and the others deduct that from theirs. So for a second each
node may give what its bucket holds; after that all are as empty as if it had been one. An account
gets no more than its rate in the long run, and once, besides its burst, a burst and a second's
worth for each further node. Without the engine each node goes by its own.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from cccamd.net.quota import Quota, Rates

ACCOUNTS_LIMIT: Final = 5000
"""Accounts whose spending waits to be told, or is known of others."""


class Spending:
    """One node's. Times are seconds, monotonic."""

    def __init__(self) -> None:
        self._untold: dict[bytes, Rates] = {}
        self._elsewhere: OrderedDict[bytes, Quota] = OrderedDict()
        """Of whom another node told: they would be forgotten with the last connection here."""

    def note(self, user: bytes, spent: Rates) -> None:
        """An account has spent that here."""
        before = self._untold.get(user)
        if before is not None:
            self._untold[user] = Rates(*map(sum, zip(before, spent, strict=True)))
        elif len(self._untold) < ACCOUNTS_LIMIT:
            self._untold[user] = spent

    def take(self, most: int) -> Iterator[tuple[bytes, Rates]]:
        """What is to be told now, of so many accounts; it is told once."""
        for user in list(self._untold)[:most]:
            yield user, self._untold.pop(user)

    def forget(self) -> None:
        """Nobody was there to be told: what was spent meanwhile counts here alone."""
        self._untold.clear()

    def keep(self, user: bytes, quota: Quota, now: float) -> None:
        """Remember the bucket of an account that spends elsewhere, until it is full again."""
        kept = self._elsewhere
        kept[user] = quota
        kept.move_to_end(user)
        while kept:
            oldest = next(iter(kept))
            if len(kept) <= ACCOUNTS_LIMIT and not kept[oldest].is_full(now):
                break
            del kept[oldest]
