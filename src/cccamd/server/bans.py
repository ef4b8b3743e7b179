"""What is kept of bans over a restart."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from cccamd.facts import Door
from cccamd.machine import replace_file
from cccamd.net import Penalties, Standing, in_slices

BANS_FILE_NAME: Final = "bans.json"
"""Beside the node id."""
FILE_LIMIT: Final = 1 << 24
"""Bytes; more than all bans that are remembered need."""


class BanBook:
    """Writes bans down while the server runs, and reads them when it starts."""

    def __init__(
        self,
        path: Path | None,
        penalties: Penalties,
        on_failure: Callable[[str, BaseException], None],
    ) -> None:
        """`path` None: nothing is kept."""
        self._path = path
        self._penalties = penalties
        self._on_failure = on_failure
        self._written = 0
        """How many had been given when they were written last."""

    def read(self) -> None:
        """Go on with those that were kept."""
        if self._path is not None:
            read_bans(self._path, self._penalties, asyncio.get_running_loop().time())

    async def keep(self) -> None:
        """Write them down, if there are others than those that are written."""
        given, now = self._penalties.given, asyncio.get_running_loop().time()
        if self._path is None or given == self._written:
            return
        try:
            bans = await in_slices(self._penalties.bans(now))
            await asyncio.to_thread(write_bans, self._path, bans, now)
            self._written = given
        except OSError as error:
            self._on_failure("keeping the bans", error)


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
        "ago": now - ban.last_at,
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
                ago=float(ban.get("ago", 0.0)) + passed,
                tries=int(ban["tries"]),
                doors=tuple(map(Door, ban["doors"])),
                user=str(ban["user"]),
            )
