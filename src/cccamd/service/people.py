"""Users and groups of a system, which need not be the one that runs."""

from pathlib import Path
from typing import Literal


def number_of(root: Path, kind: Literal["passwd", "group"], wanted: str) -> int | None:
    """The number of a user or group in that root's own list; None: it has none of that name."""
    try:
        text = (root / "etc" / kind).read_text(errors="replace")
    except FileNotFoundError:
        return None
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name == wanted:
            return int(rest.split(":")[1])
    return None
