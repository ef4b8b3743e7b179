"""Files with one secret each: a password, a key."""

import os
from pathlib import Path
from typing import Final

from cccamd.setup.files import ConfigFileError, read_file

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what `LoadCredential=` names."""


def secret_path(name: str, folder: Path) -> Path:
    """The file that a table names: what systemd handed over, or a path; relative ones begin in
    the folder of cccamd.toml."""
    handed = os.environ.get(CREDENTIALS)
    if handed and "/" not in name and (Path(handed) / name).exists():
        return Path(handed) / name
    return folder / name


def read_secret(path: Path, what: str = "password") -> str:
    """The first line of a file.

    Raises:
        ConfigFileError: there is none.
    """
    try:
        found = read_file(path).split(b"\n")[0].rstrip(b"\r").decode()
    except UnicodeError:
        raise ConfigFileError(str(path), "this is no text") from None
    if not found or "\0" in found:
        raise ConfigFileError(str(path), f"there is no {what} in it")
    return found


def password_for(said: str | None, file: str | None, folder: Path) -> str | None:
    """The password that a table says, or that the file it names has; None: neither.

    Raises:
        ConfigFileError: the file cannot be used.
    """
    return said if file is None else read_secret(secret_path(file, folder))
