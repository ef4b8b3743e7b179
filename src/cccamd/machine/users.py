"""The users of this machine, and which of them the service runs as."""

import grp
import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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

UNKNOWN_UID: Final = 61184
"""Stands for a user that is not there now: the first that systemd gives to a dynamic one."""


@dataclass(frozen=True, slots=True)
class SystemUser:
    """Somebody who opens files."""

    name: str
    uid: int
    gids: frozenset[int] = frozenset()


def user_named(name: str) -> SystemUser | None:
    """Look a user up by name, with all groups."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return SystemUser(name, entry.pw_uid, frozenset(os.getgrouplist(name, entry.pw_gid)))


def user_numbered(uid: int) -> SystemUser:
    """Look a user up by number; one without a name has no groups that we know."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return SystemUser(f"user number {uid}", uid)
    return user_named(name) or SystemUser(name, uid)


def group_name(gid: int) -> str:
    """The name of a group, or its number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def unit_user(text: str) -> str:
    """Read `User=` out of a unit file; the last one counts.

    Without any it is root, or, with `DynamicUser=`, one that is named like the unit.
    """
    dynamic = _setting(text, "DynamicUser").lower() in ("yes", "true", "on", "1")
    return _setting(text, "User") or (UNIT_NAME.removesuffix(".service") if dynamic else "root")


def _setting(text: str, name: str) -> str:
    values = [
        line.partition("=")[2].strip()
        for line in text.splitlines()
        if line.partition("=")[0].strip() == name
    ]
    return next((value for value in reversed(values) if value), "")


def find_unit_user(*, folders: Iterable[Path] = UNIT_FOLDERS) -> tuple[SystemUser, Path] | None:
    """The user that the unit file of the service names, and that file; None: there is none."""
    for path in (folder / UNIT_NAME for folder in folders):
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        name = unit_user(text)
        # One that is made when the service starts has no rights but everybody's.
        return user_named(name) or SystemUser(name, UNKNOWN_UID), path
    return None
