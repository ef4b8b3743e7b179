"""Whether a user may read a file, judged by the permission bits on the way to it."""

import grp
import os
import pwd
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who opens files."""

    name: str
    uid: int
    gids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """A folder on the way to a file, or the file at its end."""

    name: str
    mode: int
    uid: int
    gid: int


def first_barrier(way: Sequence[Place], user: User) -> Place | None:
    """Find the first place that stops a user: folders must be entered, the file read."""
    if user.uid == 0:
        return None
    *folders, file = way
    for place, right in [*((folder, stat.S_IXOTH) for folder in folders), (file, stat.S_IROTH)]:
        if not _grants(place, user, right):
            return place
    return None


def is_open_to_all(way: Sequence[Place]) -> bool:
    """Whether every user of the machine can read the file."""
    nobody = User("anybody", -1)
    return first_barrier(way, nobody) is None


def _grants(place: Place, user: User, right: int) -> bool:
    """`right` is that of others; the owner's and the group's are the same bit further left."""
    if place.uid == user.uid:
        return bool(place.mode & right << 6)
    if place.gid in user.gids:
        return bool(place.mode & right << 3)
    return bool(place.mode & right)


# What touches the system.


def way_to(path: Path) -> tuple[Place, ...]:
    """Look at a file and all folders above it; links are followed.

    Raises:
        OSError: it is not there, or may not be looked at.
    """
    resolved = path.resolve(strict=True)
    return tuple(_place(place) for place in [*reversed(resolved.parents), resolved])


def _place(path: Path) -> Place:
    found = path.stat()
    return Place(str(path), found.st_mode, found.st_uid, found.st_gid)


def user_named(name: str) -> User | None:
    """Look a user up by name, with all groups."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return User(name, entry.pw_uid, frozenset(os.getgrouplist(name, entry.pw_gid)))


def user_numbered(uid: int) -> User:
    """Look a user up by number; one without a name has no groups that we know."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return User(f"user number {uid}", uid)
    return user_named(name) or User(name, uid)


def group_name(gid: int) -> str:
    """The name of a group, or its number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
