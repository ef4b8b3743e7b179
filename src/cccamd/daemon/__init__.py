"""The running program: sessions, upstream links, local cards, and the server around them."""

from cccamd.daemon.logs import AccountFocus, set_up_logging
from cccamd.daemon.nodeid import OwnNodeId, default_path, load_or_make
from cccamd.daemon.reload import FileWatch, wait_for_change
from cccamd.daemon.server import PROGRAM, Server, Setup, raise_file_limit
from cccamd.daemon.startup import Example, Files, load_files
from cccamd.daemon.upstreams import Upstream, upstreams_of

__all__ = [
    "PROGRAM",
    "AccountFocus",
    "Example",
    "FileWatch",
    "Files",
    "OwnNodeId",
    "Server",
    "Setup",
    "Upstream",
    "default_path",
    "load_files",
    "load_or_make",
    "raise_file_limit",
    "set_up_logging",
    "upstreams_of",
    "wait_for_change",
]
