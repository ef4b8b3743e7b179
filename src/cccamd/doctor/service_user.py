"""Which user the service runs as."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cccamd.doctor.permissions import User, user_named, user_numbered
from cccamd.doctor.processes import Process

UNIT_NAME: Final = "cccamd.service"
UNIT_FOLDERS: Final = tuple(
    Path(folder)
    for folder in (
        "/etc/systemd/system",
        "/run/systemd/system",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
    )
)
"""Where systemd looks for units, in its order."""


def unit_user(text: str) -> str:
    """Read `User=` out of a unit file; the last one counts, root without any."""
    values = [
        line.partition("=")[2].strip()
        for line in text.splitlines()
        if line.partition("=")[0].strip() == "User"
    ]
    return next((value for value in reversed(values) if value), "root")


def find_service_user(
    running: Process | None, *, folders: Iterable[Path] = UNIT_FOLDERS
) -> tuple[User, str] | None:
    """The user of the running server, else that of its unit file; and how we know.

    None: neither is there, so whoever starts the server is its user.
    """
    if running is not None:
        return user_numbered(running.uid), f"process {running.pid} runs as this user"
    for folder in folders:
        text = _read(folder / UNIT_NAME)
        if text is not None:
            user = user_named(unit_user(text))
            return (user, f"{folder / UNIT_NAME} says so") if user is not None else None
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None
