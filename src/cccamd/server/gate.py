"""The brake on guessing for ports with one user name and password: web pages and telnet.

And what is shown of it.
"""

import asyncio
from typing import Final

from cccamd.facts import Door, Penalty
from cccamd.net import LONGEST_WAIT, Penalties, Standing
from cccamd.server.loglines import DoorLog

_LOGGED_AS: Final = {Door.WEB: "web", Door.TELNET: "telnet"}


class LoginGate:
    """Decides about one login after the other; right and wrong ones wait alike."""

    def __init__(self, penalties: Penalties, log: DoorLog, door: Door) -> None:
        self._penalties = penalties
        self._log = log
        self._door = door

    async def check(self, address: str, user: bytes, right: bool) -> bool:
        """Whether somebody may come in whose user name and password are right, or not."""
        loop = asyncio.get_running_loop()
        wait = self._penalties.wait(address, user, loop.time(), self._door)
        if wait != 0.0:
            await asyncio.sleep(LONGEST_WAIT if wait is None else wait)
        if right and wait is not None:
            self._penalties.succeeded(address, user, self._door)
            return True
        ban = self._penalties.failed(address, user, loop.time(), self._door)
        self._log.wrong_login(address, _LOGGED_AS[self._door])
        if ban is not None:
            self._log.banned(ban)
        return False


def describe_penalty(standing: Standing, now: float, at: float) -> Penalty:
    """What is shown of it, when the clock of the brake is at `now` and the wall's at `at`."""
    return Penalty(
        who=standing.who,
        kind=standing.kind,
        doors=standing.doors,
        user=standing.user,
        tries=standing.tries,
        bans=standing.bans,
        last_at=at + standing.last_at - now,
        until=at + standing.until - now,
        wait_seconds=standing.wait,
    )
