"""Our node id: made on the first start, kept in a file from then on."""

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

from cccamd.errors import NodeIdError
from cccamd.ids import NodeId, format_node_id, parse_node_id
from cccamd.wire import NODE_ID_RANDOM_LENGTH, make_node_id

FILE_NAME = "node-id"
SIZE_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class OwnNodeId:
    """The node id, and what there is to tell about its file."""

    node_id: NodeId
    notes: tuple[str, ...] = ()
    trouble: str | None = None
    """Something the operator must mend."""


def default_path() -> Path:
    """Where the node id is kept unless somebody says otherwise.

    systemd names the folder in STATE_DIRECTORY; else /var/lib/cccamd for root and the state
    folder of the user for everybody else.
    """
    if folder := os.environ.get("STATE_DIRECTORY"):
        return Path(folder.split(":")[0]) / FILE_NAME
    if os.geteuid() == 0:
        return Path("/var/lib/cccamd") / FILE_NAME
    return user_state_path("cccamd") / FILE_NAME


def load_or_make(path: Path) -> OwnNodeId:
    """Read the file, or make a node id and write it; a corrupt file is replaced."""
    try:
        return OwnNodeId(parse_node_id(_read(path)))
    except FileNotFoundError:
        return _make(path, f"made a new node id and wrote it to {path}")
    except OSError as error:
        return _make(path, f"cannot read the node id in {path}: {error.strerror}")
    except NodeIdError as error:
        return _make(path, f"{path} does not hold a node id ({error}); it was replaced")


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(SIZE_LIMIT).decode("ascii", "replace")


def _make(path: Path, why: str) -> OwnNodeId:
    node_id = make_node_id(os.urandom(NODE_ID_RANDOM_LENGTH))
    try:
        _write(path, format_node_id(node_id) + "\n")
    except OSError as error:
        trouble = (
            f"cannot write the node id to {path}: {error.strerror}; this run uses a new one, and"
            " other servers will see a stranger after each start: choose another file with -n"
        )
        return OwnNodeId(node_id, trouble=trouble)
    return OwnNodeId(node_id, notes=(why,))


def _write(path: Path, text: str) -> None:
    """Replace the file as a whole: a kill in the middle leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
