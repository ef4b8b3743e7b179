"""The files of a backup, put in their places: all of them, also when that is interrupted.

Theory of operation. What is to be put back is first written as an archive of its own beside the
node id (`restore.tar`): from the moment that it is there, the restore has happened. Then each file
goes into its place, and the archive goes. Whoever comes next, another restore or the server, finds
one that is left over, and does the rest first. Killed before, nothing has changed.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cccamd.machine import OWNER_ONLY, FileLock, replace_file
from cccamd.setup.backup import (
    UNDER_WAY,
    BackupError,
    Content,
    Places,
    packed,
    read_archive,
)


def put_back(contents: Sequence[Content], places: Places, *, force: bool = False) -> None:
    """Write what an archive holds.

    `force`: in place of what is there; such a file keeps its owner and rights. What is there with
    the same content is in nobody's way.

    Raises:
        BackupError: a file is there already, a way leads through a link, or the server runs.
        OSError: a file cannot be written; if it was one of `contents`, the next restore goes on.
    """
    there = [str(each.path) for each in contents if _would_change(each)]
    if there and not force:
        raise BackupError(f"would be overwritten: {', '.join(there)}; --force does so")
    _check_ways(contents, places)
    places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(places):
        whole = packed({each.name: each.data for each in contents}, "restore", {})
        replace_file(places.state / UNDER_WAY, whole, mode=OWNER_ONLY)
        _carry_out(contents, places)


def finish(places: Places) -> list[Path] | None:
    """Do the rest of a restore that was interrupted; return its files, or None: there was none.

    One that had changed nothing yet is an empty list.

    Raises:
        BackupError: it cannot be done, since somebody else began it, or it is damaged.
        OSError: a file cannot be written.
    """
    path = places.state / UNDER_WAY
    begun = path.with_name(f".{path.name}.new")
    if not os.path.lexists(path):
        if not os.path.lexists(begun):
            return None
        with suppress(OSError), _alone(places):  # it is in nobody's way
            begun.unlink(missing_ok=True)
        return []
    if path.is_symlink() or path.stat().st_uid != os.geteuid():
        # Who may write here may not write everywhere.
        raise BackupError(
            f"a restore was interrupted, and is another user's: run cccamd restore as that one"
            f" ({path})"
        )
    try:
        contents = read_archive(path, places)
    except BackupError as error:
        raise BackupError(
            f"a restore was interrupted, and cannot go on ({error}): delete {path}, and restore"
            " again with --force"
        ) from None
    _check_ways(contents, places)
    with _alone(places):
        _carry_out(contents, places)
    return [each.path for each in contents]


def _would_change(content: Content) -> bool:
    if not os.path.lexists(content.path):
        return False
    if content.path.is_symlink() or not content.path.is_file():
        return True
    return content.path.read_bytes() != content.data


def _check_ways(contents: Sequence[Content], places: Places) -> None:
    for each in contents:
        if each.path.is_symlink() or (each.path.exists() and not each.path.is_file()):
            raise BackupError(f"{each.path} is there, and no plain file")
        # The other folders are what the person says; this one is ours.
        if each.path.parent.parent == places.state and each.path.parent.is_symlink():
            raise BackupError(f"{each.path.parent} is there, and no folder")


@contextmanager
def _alone(places: Places) -> Iterator[None]:
    lock = FileLock(places.state / "journal.db.lock")
    if not lock.take():
        raise BackupError("the server is running; stop it first")
    try:
        yield
    finally:
        lock.release()


def _carry_out(contents: Sequence[Content], places: Places) -> None:
    for each in contents:
        _write(each, places)
    (places.state / UNDER_WAY).unlink()


def _write(content: Content, places: Places) -> None:
    path = content.path
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    if path == places.state / "journal.db":
        for log in ("-wal", "-shm"):  # they belong to the journal that goes
            path.with_name(path.name + log).unlink(missing_ok=True)
    uid, gid, mode = _rights(path, places)

    def prepare(opened: int) -> None:
        if os.geteuid() == 0:
            os.fchown(opened, uid, gid)
        os.fchmod(opened, mode)

    replace_file(path, content.data, prepare=prepare)


def _rights(path: Path, places: Places) -> tuple[int, int, int]:
    """Owner, group and mode: those of the file that goes, else what suits its folder."""
    try:
        old = path.stat()
        return old.st_uid, old.st_gid, old.st_mode & 0o777
    except FileNotFoundError:
        folder = path.parent.stat()
        if path.is_relative_to(places.state):
            owner = places.state.stat()
            return owner.st_uid, owner.st_gid, OWNER_ONLY
        return folder.st_uid, folder.st_gid, 0o640 if folder.st_gid else OWNER_ONLY
