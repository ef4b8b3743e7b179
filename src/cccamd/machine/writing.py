"""Where a program wants to write: what is there, who may, and how much room is left."""

import os
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cccamd.machine.files import WayPart, grants, part_of
from cccamd.machine.users import SystemUser


class Hindrance(Enum):
    """Why somebody cannot write a file; the value completes "it ..."."""

    NO_FOLDER = "has no folder"
    NOT_A_FILE = "is no file"
    FORBIDDEN = "may not be written"
    READ_ONLY = "is on a file system that is mounted read-only"
    FULL = "is on a file system without room"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much a file system still takes."""

    total: int
    """Bytes; 0: not known."""
    free: int
    """Bytes that a program without the rights of root may still write."""
    files: int | None
    """Files that may still be made; None: as many as there is room for."""
    read_only: bool = False
    device: int = 0
    """Of the file system: what lies on the same one shares its room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteTarget:
    """A file that is, or would be, written."""

    path: Path
    way: tuple[WayPart, ...]
    """The folders above it, and the file where it is there; as far as they exist."""
    exists: bool
    kind: str = ""
    """What is there that is no file: a directory, a pipe; empty: a file, or nothing."""
    missing_folder: Path | None = None
    """The first folder on the way that is not there."""
    room: Room | None = None
    """None: not known."""

    def hindrance(
        self, user: SystemUser, *, makes_folders: bool = False
    ) -> tuple[Hindrance, str] | None:
        """What keeps a user from writing it, and the place where; None: nothing that shows.

        `makes_folders`: who writes makes folders that are missing.
        """
        if self.kind:
            return Hindrance.NOT_A_FILE, self.kind
        if self.missing_folder is not None and not makes_folders:
            return Hindrance.NO_FOLDER, str(self.missing_folder)
        if self.room is not None and self.room.read_only:
            return Hindrance.READ_ONLY, self.way[-1].name
        barrier = self._barrier(user)
        if barrier is not None:
            return Hindrance.FORBIDDEN, barrier.name
        if self.room is not None and (not self.room.free or self.room.files == 0):
            return Hindrance.FULL, self.way[-1].name
        return None

    def _barrier(self, user: SystemUser) -> WayPart | None:
        if user.uid == 0:
            return None
        *above, last = self.way
        rights = stat.S_IWOTH if self.exists else stat.S_IWOTH | stat.S_IXOTH
        for part, right in [*((folder, stat.S_IXOTH) for folder in above), (last, rights)]:
            if not grants(part, user, right):
                return part
        return None


def look_at_target(path: Path) -> WriteTarget:
    """Look at a file that is to be written; nothing is made or changed.

    Raises:
        OSError: a folder on the way may not be looked at.
    """
    resolved = Path(os.path.abspath(path)).resolve()
    there = [part for part in [*reversed(resolved.parents), resolved] if _exists(part)]
    missing = next((part for part in reversed(resolved.parents) if not _exists(part)), None)
    exists = resolved in there
    return WriteTarget(
        path=path,
        way=tuple(map(part_of, there)),
        exists=exists,
        kind=_kind(resolved) if exists else "",
        missing_folder=missing,
        room=look_at_room(there[-1]),
    )


def look_at_room(path: Path) -> Room | None:
    """Ask how much room there is where a file is, or would be; None: the system does not say."""
    for part in (path, *path.parents):
        try:
            found, device = os.statvfs(part), part.stat().st_dev
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return Room(
            total=found.f_blocks * found.f_frsize,
            free=found.f_bavail * found.f_frsize,
            # Some file systems do not count files, and say 0 of 0.
            files=found.f_favail if found.f_files else None,
            read_only=bool(found.f_flag & os.ST_RDONLY),
            device=device,
        )
    return None


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _kind(path: Path) -> str:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else ""
