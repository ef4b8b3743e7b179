"""When to read the files again: on the signal HUP, or when one of them has changed."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final

POLL_INTERVAL: Final = 5.0
"""Seconds; the files lie on flash memory of receivers, where notification is not everywhere."""

Stamp = tuple[int, int, int] | None


class FileWatch:
    """Notices that files changed, appeared or went away."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._stamps = {path: _stamp(path) for path in paths}

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
    return status.st_mtime_ns, status.st_size, status.st_ino


async def wait_for_change(paths: Iterable[Path], asked: asyncio.Event) -> None:
    """Return when the files should be read again: one changed, or `asked` was set."""
    watch = FileWatch(paths)
    while not asked.is_set():
        try:
            async with asyncio.timeout(POLL_INTERVAL):
                await asked.wait()
        except TimeoutError:
            if watch.changed():
                break
    asked.clear()
