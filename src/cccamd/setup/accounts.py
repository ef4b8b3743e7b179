"""Changes to a CCcam.cfg on the disk, one after the other; the file is whole at any moment."""

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cccamd.machine import OWNER_ONLY, replace_file
from cccamd.setup.files import ConfigFileError, ConfigFileMissingError, read_file

PASSWORD_LENGTH: Final = 12
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without those that look alike: they are typed with a remote control. 69 bits in all."""
LOCK_PATIENCE: Final = 5.0
"""Seconds to wait for another who edits a file of that folder; it takes milliseconds."""
LOCK_LOOK: Final = 0.02
HOW_TO_WRITE: Final = (
    "`cccamd account`, as root, can change it; for the service, `cccamd install -C"
    " /etc/cccam/CCcam.cfg` gives it a file that it may write"
)

HOW_TO_MOUNT: Final = "dmesg says whether its disk fails; `mount -o remount,rw` makes it writable"


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
            if known is not None and _is_another(path, known, data):
                raise ConfigFileError(str(path), "somebody else changes it just now; try again")
            _write(path, new, known)
    except OSError as error:
        raise ConfigFileError(str(path), _why_not(error)) from None


def writing_trouble(path: Path) -> str:
    """Why this process could not edit a file, as far as that shows; empty: it could."""
    path = path.resolve()
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    if os.access(folder, os.W_OK | os.X_OK):
        # A file that is replaced keeps its owner, and only he or root can see to that.
        is_ours = os.geteuid() in (0, path.stat().st_uid) if path.exists() else True
        return "" if is_ours else f"{path} is another user's; {HOW_TO_WRITE}"
    # Whether it may at all: a system that is mounted read-only says another thing than rights.
    is_read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    why = "is read-only for the server" if is_read_only else "may not be written by the server"
    return f"{folder} {why}; {HOW_TO_WRITE}"


def _why_not(error: OSError) -> str:
    why = f"cannot be written: {error.strerror or error}"
    if os.geteuid() == 0:  # to whom rights are no matter
        return f"{why}; {HOW_TO_MOUNT}" if error.errno == errno.EROFS else why
    is_right = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    return f"{why}; {HOW_TO_WRITE}" if is_right else why


def _is_another(path: Path, known: os.stat_result, data: bytes) -> bool:
    """Whether somebody has written it since: clocks of file systems are coarse, so the content is
    looked at as well."""
    return _stamp(path.stat()) != _stamp(known) or path.read_bytes() != data


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
            new = os.fstat(descriptor)
            if (new.st_uid, new.st_gid) != (known.st_uid, known.st_gid):
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
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Whoever holds it for long must not hold us, too.

    Raises:
        OSError: it was not to be had.
    """
    until = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise OSError(errno.EBUSY, "another program edits files there") from None
            time.sleep(LOCK_LOOK)
        else:
            return
