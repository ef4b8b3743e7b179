"""The brake on guessing for ports with one user name and password: web pages and telnet.

And what is kept of bans over a restart.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from cccamd.machine import replace_file
from cccamd.net import LONGEST_WAIT, Penalties
from cccamd.server.loglines import DoorLog

BANS_FILE_NAME: Final = "bans.json"
"""Beside the node id."""
FILE_LIMIT: Final = 1 << 20


class LoginGate:
    """Decides about one login after the other; right and wrong ones wait alike."""

    def __init__(self, penalties: Penalties, log: DoorLog, *, port: str) -> None:
        """`port` is how the log names it: `web`, `telnet`."""
        self._penalties = penalties
        self._log = log
        self._port = port

    async def check(self, address: str, user: bytes, right: bool) -> bool:
        """Whether somebody may come in whose user name and password are right, or not."""
        loop = asyncio.get_running_loop()
        name = self._port.encode() + b":" + user
        wait = self._penalties.wait(address, name, loop.time())
        if wait != 0.0:
            await asyncio.sleep(LONGEST_WAIT if wait is None else wait)
        if right and wait is not None:
            self._penalties.succeeded(address, name)
            return True
        ban = self._penalties.failed(address, name, loop.time())
        self._log.wrong_login(address, self._port)
        if ban is not None:
            self._log.banned(ban)
        return False


def write_bans(path: Path, bans: Sequence[tuple[str, float, int]]) -> None:
    """Keep bans (of whom, seconds left, the how manieth). The file is whole, or as it was.

    Raises:
        OSError: it cannot be written.
    """
    replace_file(path, json.dumps({"at": time.time(), "bans": bans}).encode())


def read_bans(path: Path, penalties: Penalties, now: float) -> None:
    """Go on with the bans that were kept; a file that is none is none.

    A clock that was set meanwhile makes no ban longer than it was.
    """
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        with path.open("rb") as file:
            kept = json.loads(file.read(FILE_LIMIT))
        passed = max(0.0, time.time() - float(kept["at"]))
        for who, seconds, bans in kept["bans"]:
            penalties.ban(str(who), float(seconds) - passed, int(bans), now)
