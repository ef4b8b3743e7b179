"""Find and read files. The only place of this package that touches the disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cccamd.setup.cccamcfg.parser import ParseResult, parse
from cccamd.setup.files import ConfigFileMissingError, read_file

SEARCHED_PATHS = (
    Path("/var/etc/CCcam.cfg"),
    Path("/etc/CCcam.cfg"),
    Path("/etc/cccam/CCcam.cfg"),
)
"""Where to look if no file is named, in this order."""


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
        return LoadedConfig(path=candidate, missing=False, result=parse(data, file=str(candidate)))
    result = parse(b"") if path is None else parse(b"", file=str(path))
    return LoadedConfig(path=path, missing=True, result=result)
