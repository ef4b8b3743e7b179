"""The brake on guessing for ports with one user name and password: web pages and telnet.

And what is kept of bans over a restart, and shown of them.
"""

import asyncio
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from cccamd.facts import Door, Penalty
from cccamd.machine import replace_file
from cccamd.net import LONGEST_WAIT, Penalties, Standing
from cccamd.server.loglines import DoorLog

BANS_FILE_NAME: Final = "bans.json"
"""Beside the node id."""
FILE_LIMIT: Final = 1 << 24
"""Bytes; more than all bans that are remembered need."""
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


# Over a restart.


def write_bans(path: Path, bans: Iterable[Standing], now: float) -> None:
    """Keep bans. The file is whole, or as it was; another thread may do this.

    Raises:
        OSError: it cannot be written.
    """
    # One by one: what the JSON library does in one go, the event loop waits for.
    lines = ",\n".join(json.dumps(_written(ban, now)) for ban in bans)
    replace_file(path, f'{{"at": {time.time()}, "bans": [\n{lines}\n]}}\n'.encode())


def _written(ban: Standing, now: float) -> dict[str, object]:
    return {
        "who": ban.who,
        "seconds": ban.until - now,
        "bans": ban.bans,
        "tries": ban.tries,
        "doors": [door.value for door in ban.doors],
        "user": ban.user,
    }


def read_bans(path: Path, penalties: Penalties, now: float) -> None:
    """Go on with the bans that were kept; a file that is none is none.

    A clock that was set meanwhile makes no ban longer than it was.
    """
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        with path.open("rb") as file:
            kept = json.loads(file.read(FILE_LIMIT))
        passed = max(0.0, time.time() - float(kept["at"]))
        for ban in reversed(kept["bans"]):
            penalties.ban(
                str(ban["who"]),
                float(ban["seconds"]) - passed,
                int(ban["bans"]),
                now,
                tries=int(ban["tries"]),
                doors=tuple(map(Door, ban["doors"])),
                user=str(ban["user"]),
            )
