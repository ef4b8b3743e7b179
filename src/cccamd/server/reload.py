"""When to read the files again: on the signal HUP, or when one of them has changed."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final

POLL_INTERVAL: Final = 5.0
"""Seconds; the files lie on flash memory of receivers, where notification is not everywhere."""

SETTLE_INTERVAL: Final = 0.5
"""Seconds for which nothing may change before files are read: one may be half written."""
SETTLE_LIMIT: Final = 30.0
"""Seconds after which files are read although they still change."""
RETRY_INTERVAL: Final = 60.0
"""Seconds after which files that were refused are read again although none has changed: what
was in the way may have been the system's."""

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
