"""Who may read the files with secrets: said, and nothing more is done about it."""

from pathlib import Path
from typing import Final

from cccamd.machine import is_open_to_all, way_to

OPEN_TO_ALL: Final = "it may hold passwords and keys, and every user of this machine can read it"


def can_be_read_by_all(path: Path) -> bool:
    """Whether every user of this machine can read a file, as far as can be told."""
    try:
        return is_open_to_all(way_to(path))
    except OSError:
        return False
