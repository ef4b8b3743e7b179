"""Files of keys, read whole and replaced whole."""

import os
import stat
from pathlib import Path
from typing import TypeVar

from cccamd.errors import CccamdError
from cccamd.lab.cas import CasError, KeyFile
from cccamd.machine import FileLock, replace_file
from cccamd.setup.files import ConfigFileError, read_file

F = TypeVar("F", bound=KeyFile)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class StorageError(CccamdError):
    """A file cannot be read or written; names the file."""


def read_key_file(path: Path, kind: type[F]) -> F:
    """Read a file of keys.

    Raises:
        StorageError: there is none, it may not be read, or it is not a file of this kind.
    """
    try:
        return kind.parse(read_file(path).decode("utf-8"))
    except ConfigFileError as error:
        raise StorageError(str(error)) from None
    except UnicodeDecodeError:
        raise StorageError(f"{path}: not a UTF-8 text file") from None
    except CasError as error:
        raise StorageError(f"{path}: {error}") from None


def lock_key_file(path: Path) -> FileLock | None:
    """Make sure that nobody else has the card of this file, so that no key that it learns is lost.

    None: no lock can be made there, so nothing can be learnt for good either.

    Raises:
        StorageError: another card, of this server or of another one, has it.
    """
    target = path.resolve()
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        taken = lock.take()
    except OSError:
        return None
    if not taken:
        raise StorageError(
            f"{path}: another card{lock.holder()} has this file of keys; two would lose each"
            " other's keys, so this one is not served as long as that one is"
        )
    return lock


def replace_key_file(path: Path, keys: KeyFile) -> None:
    """Write a file that only its owner may read, in place of the one there.

    Blocks until the disk has it. Follows symbolic links. One writer at a time.

    Raises:
        StorageError: nothing was changed, or the disk did not confirm the change.
    """
    try:
        replace_file(path.resolve(), keys.serialize().encode("utf-8"))
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}") from None


def permission_warnings(path: Path) -> tuple[str, ...]:
    """Say what is wrong with who may use an existing file: too many others, or not we."""
    warnings = []
    if path.stat().st_mode & _OTHERS:
        warnings.append(f"{path}: others may use this file of keys; mend it: chmod 600 {path}")
    folder = path.resolve().parent
    if not os.access(folder, os.W_OK):
        warnings.append(f"{folder}: not writable, so what EMMs teach is lost at a restart")
    return tuple(warnings)
