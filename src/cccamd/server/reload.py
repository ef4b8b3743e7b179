"""Reads the files again on the signal HUP, or when one of them has changed."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from cccamd.facts import ConfigState
from cccamd.server.server import Server
from cccamd.setup.files import ConfigFileError
from cccamd.setup.setup import Setup, load_again

log = logging.getLogger("cccamd.server")

POLL_INTERVAL: Final = 5.0
"""Seconds; the files lie on flash memory of receivers, where notification is not everywhere."""
SETTLE_INTERVAL: Final = 0.5
"""Seconds for which nothing may change before files are read: one may be half written."""
SETTLE_LIMIT: Final = 30.0
"""Seconds after which files are read although they still change."""
RETRY_INTERVAL: Final = 60.0
"""Seconds after which files that were refused are read again although none has changed: what
was in the way may have been the system's."""
READINGS_LIMIT: Final = 3
"""How often files are read at a time that somebody is writing."""

Stamp = tuple[int, ...] | None


class FileWatch:
    """Notices that files changed, appeared or went away, also while nobody waits for it."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._stamps = {path: _stamp(path) for path in paths}

    def follow(self, paths: Iterable[Path]) -> None:
        """Watch these files from now on; what is not known yet of the others stays unknown."""
        known = self._stamps
        self._stamps = {path: known[path] if path in known else _stamp(path) for path in paths}

    def changed(self) -> bool:
        """Whether a file is another one than at the last call."""
        stamps = {path: _stamp(path) for path in self._stamps}
        before, self._stamps = self._stamps, stamps
        return stamps != before


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    # Mode and owner: a file that could not be read may be readable now.
    return (
        status.st_mtime_ns,
        status.st_size,
        status.st_ino,
        status.st_mode,
        status.st_uid,
        status.st_gid,
    )


async def wait_for_change(
    watch: FileWatch, asked: asyncio.Event, *, at_most: float | None = None
) -> None:
    """Return when the files should be read: one changed, `asked` was set, or time is over.

    Either way not before nobody writes them any more, as far as that shows.
    """
    looks = None if at_most is None else max(1, round(at_most / POLL_INTERVAL))
    while not asked.is_set() and looks != 0:
        try:
            async with asyncio.timeout(POLL_INTERVAL):
                await asked.wait()
        except TimeoutError:
            looks = None if looks is None else looks - 1
            if watch.changed():
                break
    asked.clear()
    await settle(watch)


async def settle(watch: FileWatch) -> None:
    """Return when the files have not changed for a moment, or do not stop to."""
    for _ in range(round(SETTLE_LIMIT / SETTLE_INTERVAL)):
        watch.changed()
        await asyncio.sleep(SETTLE_INTERVAL)
        if not watch.changed():
            return


class Reloader:
    """Brings a running server from one setup to the next."""

    def __init__(
        self,
        server: Server,
        setup: Setup,
        *,
        asked: asyncio.Event,
        prepare: Callable[[Setup], None],
    ) -> None:
        """`setup` is the one in use; `prepare` is called before the server takes another.

        `asked` is set when the files are to be read although none has changed.
        """
        self._asked = asked
        self._server = server
        self._setup = setup
        self._prepare = prepare
        self._watch = FileWatch(setup.paths)
        self._waiting: list[asyncio.Future[ConfigState]] = []
        """Who asked for the next reading, and waits for what comes of it."""

    async def run(self) -> None:
        """Reload whenever there is a reason, until cancelled."""
        taken = not self._setup.withheld
        while True:
            at_most = None if taken else RETRY_INTERVAL
            await wait_for_change(self._watch, self._asked, at_most=at_most)
            waiting, self._waiting = self._waiting, []
            taken = await self._take()
            for done in waiting:
                if not done.done():
                    done.set_result(self._server.config_state())

    async def reload_now(self) -> ConfigState:
        """Have `run` read the files because somebody asks for it; what came of it."""
        done: asyncio.Future[ConfigState] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._asked.set()
        return await done

    async def _take(self) -> bool:
        """Reload, whatever happens; whether files were taken."""
        try:
            return await self.reload()
        except (OSError, MemoryError) as error:  # no descriptors, no memory, a dead disk
            why = (isinstance(error, OSError) and error.strerror) or "no memory is left"
            self._server.keep(f"the files cannot be read now: {why}")
            log.debug("it happened here:", exc_info=error)
        except Exception as error:  # a fault of ours is not the end of all reloads
            what = f"{type(error).__name__}: {error}"
            self._server.keep(f"an internal error in the reload ({what})")
            log.debug("it happened here:", exc_info=error)
        return False

    async def reload(self) -> bool:
        """Read the files again and go over to them; False: the old state was kept."""
        try:
            setup = await self._read()
        except ConfigFileError as error:
            self._server.keep(str(error))
            return False
        if setup.doubtful:
            self._server.keep(setup.doubt)
            return False
        if setup.example is not None:
            return True  # another one would have another password
        self._prepare(setup)
        self._setup = replace(setup, node_id=self._setup.node_id)
        await self._server.reload(self._setup)
        self._watch.follow(setup.paths)
        return True

    async def _read(self) -> Setup:
        """Read the files; once more if one of them was written meanwhile."""
        for _ in range(READINGS_LIMIT):
            # A thread, so that clients are served while a large file is read.
            setup = await asyncio.to_thread(load_again, self._setup.sources)
            if not self._watch.changed():
                break
            await settle(self._watch)
        return setup
