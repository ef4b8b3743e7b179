"""The longer story: dark, then an EMM brings the key, clear, then the key expires, dark."""

import asyncio
from datetime import UTC, datetime, timedelta

from cccamd.lab.demo.scrambler import Scrambler
from cccamd.lab.demo.subscription import Subscription

EMM_AT = 0.25
EXPIRED_AT = 0.55
"""Parts of the stream. The viewer stays clear for up to two more crypto periods then, because
each ECM brings the next CW too."""
FEWEST_PERIODS = 8
"""Below that there might be no ECM between the two, or no dark packet after them."""
SHORTEST_VALIDITY = 1.0
"""Seconds: without pauses between chunks, time for a few ECMs."""


class Renewal:
    """Sends the EMM and waits for the expiry, at their places in the stream."""

    def __init__(
        self, subscription: Subscription, scrambler: Scrambler, *, duration: float | None
    ) -> None:
        self._subscription = subscription
        self._scrambler = scrambler
        self._validity = max(SHORTEST_VALIDITY, (duration or 0) * (EXPIRED_AT - EMM_AT))
        self.expires: datetime | None = None
        """When the key ends; None before the EMM."""

    async def at(self, done: float) -> None:
        """Do what is due when this part of the stream is done."""
        if self.expires is None and done >= EMM_AT:
            self.expires = _whole_second_after(self._validity)
            self._scrambler.send_emm(self._subscription.make_emm(expires=self.expires))
        elif self.expires is not None and done >= EXPIRED_AT:
            left = self.expires - datetime.now(UTC)
            await asyncio.sleep(left.total_seconds())


def _whole_second_after(seconds: float) -> datetime:
    """Cards count in whole seconds."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.replace(microsecond=0) + timedelta(seconds=1)
