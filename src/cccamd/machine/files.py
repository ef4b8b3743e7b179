"""Files of this machine: who may read them, judged by the permission bits; our node id's age."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from cccamd.errors import NumberError
from cccamd.ids import NodeId, parse_node_id
from cccamd.machine.users import SystemUser

MACHINE_ID: Final = Path("/etc/machine-id")
"""Written when a system is installed or first started."""
SIZE_LIMIT: Final = 1024


@dataclass(frozen=True, slots=True)
class WayPart:
    """A folder on the way to a file, or the file at its end."""

    name: str
    mode: int
    uid: int
    gid: int


def way_to(path: Path) -> tuple[WayPart, ...]:
    """Look at a file and all folders above it; links are followed.

    Raises:
        OSError: it is not there, or may not be looked at.
    """
    resolved = path.resolve(strict=True)
    return tuple(part_of(part) for part in [*reversed(resolved.parents), resolved])


def part_of(path: Path) -> WayPart:
    """Look at one file or folder.

    Raises:
        OSError: it is not there, or may not be looked at.
    """
    found = path.stat()
    return WayPart(str(path), found.st_mode, found.st_uid, found.st_gid)


def first_barrier(way: Sequence[WayPart], user: SystemUser) -> WayPart | None:
    """Find the first part that stops a user: folders must be entered, the file read."""
    if user.uid == 0:
        return None
    *folders, file = way
    for part, right in [*((folder, stat.S_IXOTH) for folder in folders), (file, stat.S_IROTH)]:
        if not grants(part, user, right):
            return part
    return None


def is_open_to_all(way: Sequence[WayPart]) -> bool:
    """Whether every user of the machine can read the file."""
    nobody = SystemUser("anybody", -1)
    return first_barrier(way, nobody) is None


def grants(part: WayPart, user: SystemUser, right: int) -> bool:
    """Whether the permission bits give a user all of these rights, written as those of others.

    The owner's and the group's are the same bits further left.
    """
    if part.uid == user.uid:
        wanted = right << 6
    elif part.gid in user.gids:
        wanted = right << 3
    else:
        wanted = right
    return part.mode & wanted == wanted


class FileState(Enum):
    """What there is under a file's name."""

    GOOD = "good"
    MISSING = "missing"
    CORRUPT = "corrupt"
    HIDDEN = "hidden"
    """We may not read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeIdFile:
    """The file with our node id."""

    path: Path
    state: FileState
    node_id: NodeId | None = None
    older_by: float = 0.0
    """Seconds that the file is older than the system it is on; 0 if it is not, or unknown."""


def look_at_node_id(path: Path, *, machine_id: Path = MACHINE_ID) -> NodeIdFile:
    """Read the node id file; nothing is made or changed."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return NodeIdFile(path=path, state=FileState.CORRUPT)
        with path.open("rb") as file:
            node_id = parse_node_id(file.read(SIZE_LIMIT).decode("ascii", "replace"))
    except FileNotFoundError:
        return NodeIdFile(path=path, state=FileState.MISSING)
    except OSError:
        return NodeIdFile(path=path, state=FileState.HIDDEN)
    except NumberError:
        return NodeIdFile(path=path, state=FileState.CORRUPT)
    older_by = _older_by(path, machine_id)
    return NodeIdFile(path=path, state=FileState.GOOD, node_id=node_id, older_by=older_by)


def _older_by(path: Path, machine_id: Path) -> float:
    try:
        return max(0.0, machine_id.stat().st_mtime - path.stat().st_mtime)
    except OSError:
        return 0.0
