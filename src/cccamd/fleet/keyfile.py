"""The fleet key in a file: hex digits, the same on all nodes, for its owner alone to read."""

import os
import secrets
from pathlib import Path
from typing import Final

from cccamd.errors import ConfigError
from cccamd.fleet.values import KEY_LENGTH
from cccamd.machine import OWNER_ONLY
from cccamd.setup.files import ConfigFileError
from cccamd.setup.secretfile import read_secret

_ADVICE: Final = "cccamd fleet key FILE makes one; all nodes need the same"


def make_key(path: Path) -> None:
    """Write a new key to a file that is not there yet.

    Raises:
        ConfigError: it is there, or cannot be written.
    """
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
    except FileExistsError:
        text = f"{path} is there already, and nothing was changed"
        raise ConfigError(f"{text}: nodes with another key would not understand") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(number, "w") as file:
            file.write(secrets.token_hex(KEY_LENGTH) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None


def read_key(path: Path) -> bytes:
    """The key of a file.

    Raises:
        ConfigFileError: there is none, or what is there is none.
    """
    text = read_secret(path, "fleet key")
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != KEY_LENGTH:
        raise ConfigFileError(str(path), f"this is no fleet key; {_ADVICE}")
    return found
