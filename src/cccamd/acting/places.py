"""Where the control socket of a server is, and where commands look for it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

FILE_NAME: Final = "control.sock"
SYSTEM_FOLDER: Final = Path("/run/cccamd")
"""What systemd calls RUNTIME_DIRECTORY, seen from outside."""


def socket_of(node_id: Path, *, named: bool, environment: Mapping[str, str] = os.environ) -> Path:
    """Where a server listens.

    `node_id`: its file; `named`: by the operator, so this is not the only server of this user,
    and the socket stays beside it.
    """
    beside = node_id.parent / FILE_NAME
    if named:
        return beside
    return next(_runtime_folders(environment), node_id.parent) / FILE_NAME


def sockets_to_try(
    node_id: Path, *, named: bool, environment: Mapping[str, str] = os.environ
) -> tuple[Path, ...]:
    """Where a command looks, the likeliest first."""
    beside = node_id.parent / FILE_NAME
    if named:
        return (beside,)
    folders = (*_runtime_folders(environment), SYSTEM_FOLDER)
    return tuple(dict.fromkeys((*(folder / FILE_NAME for folder in folders), beside)))


def _runtime_folders(environment: Mapping[str, str]) -> Iterator[Path]:
    if folder := environment.get("RUNTIME_DIRECTORY"):
        yield Path(folder.split(":")[0])
    elif folder := environment.get("XDG_RUNTIME_DIR"):
        yield Path(folder) / "cccamd"
