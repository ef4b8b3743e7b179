"""Changes to a CCcam.cfg on the disk, one after the other; the file is whole at any moment."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cccamd.machine import OWNER_ONLY, replace_file
from cccamd.setup.files import ConfigFileError, ConfigFileMissingError, read_file

PASSWORD_LENGTH: Final = 12
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without those that look alike: they are typed with a remote control. 69 bits in all."""


def new_password() -> str:
    """Make a password."""
    return "".join(secrets.choice(_LETTERS) for _ in range(PASSWORD_LENGTH))


def edit_file(path: Path, change: Callable[[bytes], bytes], *, make: bool = False) -> None:
    """Put what `change` makes of a file in its place; owner, group and mode stay. Blocks.

    `make`: a file that does not exist counts as empty, and is made for its owner alone.

    Raises:
        ConfigFileError: it cannot be read or written; nothing has changed.
        whatever `change` raises: nothing has changed.
    """
    try:
        path = path.resolve()  # a link stays one
        with _alone_with(path.parent):
            data, known = _read(path, make=make)
            new = change(data)
            if new == data:
                return
            if known is not None and _stamp(path.stat()) != _stamp(known):
                raise ConfigFileError(str(path), "somebody else changes it just now; try again")
            _write(path, new, known)
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigFileError(str(path), f"cannot be written: {why}") from None


def _read(path: Path, *, make: bool) -> tuple[bytes, os.stat_result | None]:
    try:
        known = path.stat()
        return read_file(path), known
    except (FileNotFoundError, ConfigFileMissingError):
        if make:
            return b"", None
        raise ConfigFileMissingError(str(path), "there is no such file") from None


def _write(path: Path, data: bytes, known: os.stat_result | None) -> None:
    def prepare(descriptor: int) -> None:
        if known is not None:
            os.fchown(descriptor, known.st_uid, known.st_gid)
            os.fchmod(descriptor, known.st_mode & 0o7777)

    replace_file(path, data, mode=OWNER_ONLY, prepare=prepare)


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    return found.st_ino, found.st_size, found.st_mtime_ns


@contextmanager
def _alone_with(folder: Path) -> Iterator[None]:
    """Let one after the other change files there: the kernel's lock on the folder itself, so that
    no lock file is left."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
