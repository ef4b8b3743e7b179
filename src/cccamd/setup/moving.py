"""Folders of configurations that move: one is read as a whole, another is written or left alone."""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cccamd.machine import OWNER_ONLY, replace_file
from cccamd.setup.files import ConfigFileError, ConfigFileMissingError, read_file

READABLE: Final = 0o644
NEW_FOLDER: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The files that were there."""

    files: dict[str, bytes] = field(repr=False)
    find: Callable[[str], bytes | None]
    """Reads a file that another one names: under its path, else in the folder."""


def read_folder(path: Path, names: Iterable[str], any_of: Collection[str]) -> Folder:
    """Read the files of these names that are there.

    Raises:
        ConfigFileError: there is no such folder, none of `any_of` is in it, or one cannot be read.
    """
    if not path.is_dir():
        there = os.path.lexists(path)
        raise ConfigFileError(
            str(path), "this is no folder" if there else "there is no such folder"
        )
    files: dict[str, bytes] = {}
    for name in names:
        try:
            files[name] = read_file(path / name)
        except ConfigFileMissingError:
            continue
    if not any(name in files for name in any_of):
        raise ConfigFileError(str(path), f"there is none of {', '.join(any_of)}")

    def find(name: str) -> bytes | None:
        for candidate in (Path(name), path / Path(name).name):
            try:
                return read_file(candidate)
            except ConfigFileError:
                continue
        return None

    return Folder(files=files, find=find)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be written."""

    name: str
    data: bytes = field(repr=False)
    secret: bool
    """Whether only its owner may read it."""


def write_files(folder: Path, files: Sequence[NewFile], *, force: bool) -> list[str]:
    """Write all, or nothing if one is there already; return their names.

    `force`: what is there is replaced, and its permissions stay. The folder is made, for its
    owner alone.

    Raises:
        ConfigFileError: a file is there, or the folder is none.
        OSError: the disk does not take them.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigFileError(str(folder), "this is no folder")
    there = [each.name for each in files if os.path.lexists(folder / each.name)]
    if there and not force:
        what = f"{', '.join(there)} in it would be overwritten; --force does so"
        raise ConfigFileError(str(folder), what)
    folder.mkdir(mode=NEW_FOLDER, parents=True, exist_ok=True)
    for each in files:
        replace_file(folder / each.name, each.data, mode=_mode(folder / each.name, each))
    return [each.name for each in files]


def _mode(path: Path, file: NewFile) -> int:
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return OWNER_ONLY if file.secret else READABLE
