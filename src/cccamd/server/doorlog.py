"""The log of those who do not get in: one line each, and a sum for floods."""

import asyncio
import logging
from typing import Final

from cccamd.net import Refusal
from cccamd.watch import Throttle
from cccamd.wire.link import Closed

log = logging.getLogger("cccamd.login")
"""LOG WARNINGS writes these lines to a file of their own."""

OTHERS: Final = ("many other addresses", "various reasons")


class DoorLog:
    """Names address and reason of each failed login, and counts them when they are many."""

    def __init__(self) -> None:
        self._throttle = Throttle(others=OTHERS)
        self._loop = asyncio.get_running_loop()

    def refused(self, address: str, refusal: Refusal) -> None:
        """A connection was closed before the first byte."""
        if self._throttle.admits((address, refusal.value), self._loop.time()):
            log.warning("%s: not let in: %s", address, refusal.value)

    def failed(self, name: str, address: str, closed: Closed) -> None:
        """A connection ended before its login did."""
        if self._throttle.admits((address, closed.reason.value), self._loop.time()):
            log.warning("%s: no login: %s", name, closed)

    def sum_up(self) -> None:
        """Tell how many more there were."""
        for (address, reason), count in self._throttle.ended(self._loop.time()):
            log.warning("%s: %d more within a minute: %s", address, count, reason)
