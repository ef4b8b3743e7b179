"""The files that somebody wrote for us: how one is read, and how a place in it is named."""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from cccamd.errors import ConfigError

SIZE_LIMIT: Final = 4 * 1024 * 1024
"""Bytes. The longest real files have some 13,000 lines, which is less than one million."""
LINES_LIMIT: Final = 400_000
"""Shorter lines than those of the shortest accounts would take longer than a reload may."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; lines and columns start at 1, columns count characters."""

    file: str
    """As the operator named it."""
    line: int | None = None
    """None: the file as a whole."""
    column: int | None = None
    """None: the line as a whole."""

    @property
    def order(self) -> tuple[int, int]:
        """What sorts the places of one file from its beginning to its end."""
        return self.line or 0, self.column or 0

    def __str__(self) -> str:
        numbers = [str(number) for number in (self.line, self.column) if number is not None]
        return ":".join([self.file, *numbers])


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """What is wrong at one place. No text holds a secret."""

    place: Place
    text: str
    is_warning: bool = False
    """What stands there is used all the same, or is missed by nobody."""
    is_skipped: bool = False
    """It is a warning only, but what stands there is not used."""

    @property
    def is_left_out(self) -> bool:
        """Whether what stands there is not used."""
        return self.is_skipped or not self.is_warning

    def __str__(self) -> str:
        return f"{self.place}: {'warning' if self.is_warning else 'error'}: {self.text}"


class ConfigFileError(ConfigError):
    """A file cannot be read."""

    def __init__(self, name: str, reason: str, *, passing: bool = False) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason
        self.passing = passing
        """Whether the system is short of something, or the disk failed: nothing is wrong with
        the file, as far as can be told."""

    def __str__(self) -> str:
        """Make the sentence."""
        return f"{self.name}: {self.reason}"


class ConfigFileMissingError(ConfigFileError):
    """A file does not exist."""


_PASSING: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.EINTR, errno.EAGAIN}
)


def read_file(path: Path) -> bytes:
    """Read a whole file. Never waits: what is no file, but a pipe or a device, is not read.

    Raises:
        ConfigFileMissingError: there is none of this name.
        ConfigFileError: it cannot be read, is too large, or is no file.
    """
    try:
        with open_regular(path) as file:
            return read_stream(file, str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigFileMissingError(str(path), "there is no such file") from None
    except PermissionError:
        raise ConfigFileError(str(path), "no permission to read it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        passing = isinstance(error, OSError) and error.errno in _PASSING
        raise ConfigFileError(str(path), f"cannot be read: {why}", passing=passing) from None


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, without waiting for the writer of a pipe.

    Raises:
        ConfigFileError: it is a directory, a pipe, a socket or a device.
        OSError: it cannot be opened.
    """
    # The kind is looked at first: opening a device may do something, such as rewind a tape.
    _check_kind(path, path.stat().st_mode)
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _check_kind(path, os.fstat(number).st_mode)
    except BaseException:
        os.close(number)
        raise
    return os.fdopen(number, "rb")


def _check_kind(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        what = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise ConfigFileError(str(path), f"this is {what}, not a file")


_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_stream(stream: BinaryIO, name: str) -> bytes:
    """Read an open file to its end.

    Raises:
        ConfigFileError: there is more than any configuration has.
    """
    data = stream.read(SIZE_LIMIT + 1)
    reason = ""
    if len(data) > SIZE_LIMIT:
        reason = f"larger than {SIZE_LIMIT // 2**20} MiB"
    elif max(data.count(b"\n"), data.count(b"\r")) > LINES_LIMIT:
        reason = f"more than {LINES_LIMIT:,} lines"
    if reason:
        raise ConfigFileError(name, f"{reason}, so it is no configuration")
    return data
