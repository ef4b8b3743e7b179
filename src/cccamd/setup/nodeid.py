"""Our node id: made on the first start, kept in a file from then on."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

from cccamd.errors import NumberError
from cccamd.ids import NodeId, format_node_id, parse_node_id
from cccamd.machine import replace_file
from cccamd.setup.files import ConfigFileError, open_regular
from cccamd.wire.cccam import NODE_ID_RANDOM_LENGTH, make_node_id, offers_partner

FILE_NAME = "node-id"
CORRUPT_LIMIT = 64
"""Bytes. What is longer was never a node id, but somebody's file, named by mistake."""

_READABLE = 0o666
"""As far as the user's mask allows: a node id is no secret."""


@dataclass(frozen=True, slots=True)
class OwnNodeId:
    """The node id, and what there is to tell about its file."""

    node_id: NodeId
    notes: tuple[tuple[int, str], ...] = ()
    """Log level and text."""
    trouble: str | None = None
    """Something the operator must mend."""
    is_unwritten: bool = False
    """There was no room for it, say: `write_later` may have more luck."""


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
    content = b""
    try:
        content = _read(path)
        return _loaded(path, parse_node_id(content.decode("ascii", "replace")))
    except FileNotFoundError:
        note = (logging.INFO, f"made a new node id and wrote it to {path}")
    except OSError as error:
        note = (logging.WARNING, f"cannot read the node id in {path}: {error.strerror}")
    except ConfigFileError as error:  # a pipe, a device: not ours to replace
        trouble = f"{error}; this run uses a new node id: choose another file with -n"
        return OwnNodeId(_new_node_id(), trouble=trouble)
    except NumberError as error:
        note = (logging.WARNING, f"{path} does not hold a node id ({error}); it was replaced")
    if len(content) > CORRUPT_LIMIT or b":" in content:
        trouble = (
            f"{path} is no node id file, so it was left alone; this run uses a new node id: "
            "choose another file with -n"
        )
        return OwnNodeId(_new_node_id(), trouble=trouble)
    return _make(path, note)


def _loaded(path: Path, node_id: NodeId) -> OwnNodeId:
    if offers_partner(node_id):
        return OwnNodeId(node_id)
    note = (
        f"the node id in {path} does not have the shape that offers extended mode, and without"
        " that tvheadend shows no picture; delete the file to have a new one made"
    )
    return OwnNodeId(node_id, notes=((logging.WARNING, note),))


def _read(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(CORRUPT_LIMIT + 1)


def _new_node_id() -> NodeId:
    return make_node_id(os.urandom(NODE_ID_RANDOM_LENGTH))


def _make(path: Path, note: tuple[int, str]) -> OwnNodeId:
    node_id = _new_node_id()
    try:
        _write(path, format_node_id(node_id) + "\n")
    except OSError as error:
        trouble = (
            f"cannot write the node id to {path}: {error.strerror}; this run uses a new one, and"
            " other servers will see a stranger after each start: choose another file with -n"
        )
        return OwnNodeId(node_id, trouble=trouble, is_unwritten=True)
    return OwnNodeId(node_id, notes=(note,))


def write_later(path: Path, node_id: NodeId) -> str:
    """Write a node id that could not be written; what there is to tell: empty, if still nothing.

    A file that has come meanwhile, with a disk that was late, is left alone.
    """
    try:
        if path.exists():
            return f"the node id file {path} is there now: it is used from the next start on"
        _write(path, format_node_id(node_id) + "\n")
    except OSError:
        return ""
    return f"the node id is written to {path} now"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode("ascii"), mode=_READABLE)
