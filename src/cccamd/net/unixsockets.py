"""UNIX sockets: a door for programs of this machine, and who came in.

Source: docs/dvbapi-protocol.md section 16.
"""

import errno
import grp
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from cccamd.net.accepting import BACKLOG, ListenError

_CREDENTIALS: Final = struct.Struct("=iII")
ANSWER_TIME: Final = 0.5
"""Seconds for whoever may listen on a socket that is there already."""


class Credentials(NamedTuple):
    """Which process is at the other end, as the kernel says."""

    pid: int
    uid: int
    gid: int

    def __str__(self) -> str:
        return f"process {self.pid} of user {self.uid}"


def credentials(sock: socket.socket) -> Credentials | None:
    """Who is at the other end of a UNIX socket; None where the system does not tell."""
    if sock.family != socket.AF_UNIX or not hasattr(socket, "SO_PEERCRED"):
        return None
    said = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Credentials(*_CREDENTIALS.unpack(said))


def open_unix_socket(path: Path, *, mode: int, group: str | None) -> socket.socket:
    """Listen on a UNIX socket. One that is there already is taken away if nobody answers on it.

    Its folder is made if it is missing, for owner and group only. Nobody can connect before
    mode and group (None: that of this process) are as they should be.

    Raises:
        ListenError: it is not to be had; the reason says what to do.
    """
    try:
        gid = -1 if group is None else grp.getgrnam(group).gr_gid
        _prepare_folder(path.parent, gid)
        _make_way(path)
        return _listen(path, mode, gid)
    except KeyError:
        raise _error(path, f"there is no group {group}") from None
    except OSError as error:
        raise _error(path, error.strerror or str(error)) from error


def _prepare_folder(folder: Path, gid: int) -> None:
    if not folder.parent.exists():
        raise OSError(errno.ENOENT, f"there is no folder {folder.parent}")
    if not folder.exists():
        folder.mkdir(mode=0o750)
        os.chown(folder, -1, gid)
    found = folder.stat()
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        text = f"everybody may replace what is in {folder}: name a folder of cccamd's own"
        raise OSError(errno.EPERM, text)


def _make_way(path: Path) -> None:
    """Take away a socket that a server left behind which did not end in order."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "something else is there, which is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(ANSWER_TIME)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, "another program listens there")


def _listen(path: Path, mode: int, gid: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Linux gives the file the mode that its socket has; umask would be that of all threads.
        with suppress(OSError):
            os.fchmod(sock.fileno(), 0)
        sock.bind(os.fspath(path))
        if gid != -1:
            os.chown(path, -1, gid)
        path.chmod(mode)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def remove_unix_socket(path: Path, inode: int) -> None:
    """Take away a socket of ours, unless it is another's by now."""
    with suppress(OSError):
        if path.lstat().st_ino == inode:
            path.unlink()


def _error(path: Path, reason: str) -> ListenError:
    return ListenError(os.fspath(path), 0, reason)
