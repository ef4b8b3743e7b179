"""Locks between programs: who holds one is the only writer of a file.

The kernel's `flock` on a file of its own beside the one that is meant. It ends with the process,
however that ends, so there are no stale locks; the lock file stays, as deleting it would let two
hold "the" lock at once. Two locks of one process keep each other out, too.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class FileLock:
    """One lock; not held until `take` says so."""

    def __init__(self, path: Path) -> None:
        """`path`: the lock file, made when it is missing."""
        self.path = path
        self._file: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether we hold it."""
        return self._file is not None

    def take(self) -> bool:
        """Take it unless somebody else has it; never waits.

        Raises:
            OSError: the lock file cannot be made or opened.
        """
        if self._file is not None:
            return True
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        except OSError:
            os.close(file)
            raise
        self._file = file
        with suppress(OSError):  # a full disk: the lock holds, nobody knows whose it is
            os.ftruncate(file, 0)
            os.pwrite(file, b"%d\n" % os.getpid(), 0)
        return True

    def holder(self) -> str:
        """Who holds it, for the end of a sentence: ` (process 123)`; empty: not known."""
        try:
            number = self.path.read_text("ascii")[:20].strip()
        except (OSError, ValueError):
            return ""
        if number == str(os.getpid()):
            return " (this one)"
        return f" (process {number})" if number.isdigit() else ""

    def release(self) -> None:
        """Let it go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
