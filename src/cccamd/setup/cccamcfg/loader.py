"""Find and read files. The only place of this package that touches the disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cccamd.errors import ConfigError
from cccamd.setup.cccamcfg.parser import ParseResult, parse

SEARCHED_PATHS = (
    Path("/var/etc/CCcam.cfg"),
    Path("/etc/CCcam.cfg"),
    Path("/etc/cccam/CCcam.cfg"),
)
"""Where to look if no file is named, in this order."""

SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes. The longest real files have some 13,000 lines, which is less than one million."""


class ConfigFileError(ConfigError):
    """A file cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        """Make the sentence."""
        return f"{self.name}: {self.reason}"


class ConfigFileMissingError(ConfigFileError):
    """A file does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedConfig:
    """What was read, and from where."""

    path: Path | None
    """None: no file was named and none of the usual ones exists."""
    missing: bool
    """There was no file, which is legal: all defaults apply. Worth a line in the log."""
    result: ParseResult


def load_config(
    path: Path | None = None, *, searched: Sequence[Path] = SEARCHED_PATHS
) -> LoadedConfig:
    """Read the named file, or else the first of the usual ones that exists.

    Raises:
        ConfigFileError: the file is there but cannot be read.
    """
    for candidate in searched if path is None else (path,):
        try:
            data = read_file(candidate)
        except ConfigFileMissingError:
            continue
        return LoadedConfig(path=candidate, missing=False, result=parse(data))
    return LoadedConfig(path=path, missing=True, result=parse(b""))


def read_file(path: Path) -> bytes:
    """Read a whole file.

    Raises:
        ConfigFileMissingError: there is none of this name.
        ConfigFileError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            return read_stream(file, str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigFileMissingError(str(path), "there is no such file") from None
    except IsADirectoryError:
        raise ConfigFileError(str(path), "this is a directory, not a file") from None
    except PermissionError:
        raise ConfigFileError(str(path), "no permission to read it") from None
    except OSError as error:
        raise ConfigFileError(str(path), f"cannot be read: {error.strerror}") from None


def read_stream(stream: BinaryIO, name: str) -> bytes:
    """Read an open file to its end.

    Raises:
        ConfigFileError: there is more than any CCcam.cfg has.
    """
    data = stream.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        reason = f"larger than {SIZE_LIMIT // 2**20} MiB, so it is no CCcam.cfg"
        raise ConfigFileError(name, reason)
    return data
