"""All that makes this server the one it is, in one tar file, and back.

Theory of operation. The archive is not trusted: it names no places. A member is one of a few names
in one of two folders (`config/`, `state/`), or it is a key file of a card; where each goes is
decided here, from what this machine has. What has no place of its own lands in `restored/` beside
the node id, for a person to move. All is read and checked before anything is written.
"""

import io
import json
import os
import re
import sqlite3
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cccamd.errors import CccamdError
from cccamd.machine import OWNER_ONLY, FileLock, replace_file
from cccamd.setup.files import SIZE_LIMIT

FORMAT: Final = 1
MANIFEST: Final = "cccamd-backup.json"
JOURNAL: Final = "state/journal.db"
JOURNAL_LIMIT: Final = 1024 * 1024 * 1024
"""Bytes of a journal, and of a whole archive; by default a journal has 64 MiB."""
MEMBERS_LIMIT: Final = 100
STATE_NAMES: Final = frozenset({"node-id", "link-key.pem", "paired.toml", "journal.db"})
CONFIG_NAMES: Final = frozenset({"CCcam.cfg", "cccamd.toml"})
COMPANION_NAMES: Final = frozenset({"CCcam.prio", "CCcam.providers", "CCcam.channelinfo"})
COMPANIONS_FOLDER: Final = Path("/var/etc")
"""Where the original, and so CCcam.cfg without a word about it, has them."""
_SQLITE: Final = b"SQLite format 3\0"
_KEY_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}\.(json|key|keys)")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}")


class BackupError(CccamdError):
    """Nothing was saved or restored; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where this machine has its files."""

    config: Path
    """CCcam.cfg."""
    toml: Path
    state: Path
    """The folder of the node id."""
    companions: Path = COMPANIONS_FOLDER

    def place(self, member: str) -> Path:
        """Where a member goes.

        Raises:
            BackupError: it is none that a backup of ours has.
        """
        folder, _, name = member.partition("/")
        if folder == "config" and name in CONFIG_NAMES:
            return self.config if name == "CCcam.cfg" else self.toml
        if folder == "config" and name in COMPANION_NAMES:
            return self.config.parent / name
        if folder == "companions" and name in COMPANION_NAMES:
            return self.companions / name
        if folder == "state" and name in STATE_NAMES:
            return self.state / name
        if folder == "keys" and _KEY_NAME.fullmatch(name):
            return self.toml.parent / name
        if folder == "others" and _PLAIN_NAME.fullmatch(name):
            return self.state / "restored" / name
        raise BackupError(f"the archive has {member!r}, which no backup of cccamd has")

    def member(self, path: Path, *, is_key: bool) -> str:
        """What a file is called in the archive; the reverse of `place`."""
        if is_key and path.parent == self.toml.parent and _KEY_NAME.fullmatch(path.name):
            return f"keys/{path.name}"
        if path.name in COMPANION_NAMES and path.parent == self.config.parent:
            return f"config/{path.name}"
        if path.name in COMPANION_NAMES and path.parent == self.companions:
            return f"companions/{path.name}"
        return f"others/{re.sub(r'[^A-Za-z0-9_.-]', '_', path.name).lstrip('.-') or '_'}"


@dataclass(frozen=True, slots=True)
class Content:
    """One file of an archive."""

    path: Path
    """Where it goes."""
    data: bytes = field(repr=False)


# Saving.


def save(
    archive: Path,
    places: Places,
    *,
    companions: Iterable[Path],
    keys: Iterable[Path],
    made_by: str,
    force: bool = False,
) -> list[Path]:
    """Write the archive, readable for its owner alone; return the files that are in it.

    `companions`, `keys`: files that CCcam.cfg and cccamd.toml name; there or not. A server may
    run meanwhile: the journal is copied as of one moment.

    Raises:
        BackupError: there is nothing to save, or a file there that would be overwritten.
        OSError: a file cannot be read, or the archive not written.
    """
    if archive.exists() and not force:
        raise BackupError(f"{archive} is there already; --force overwrites it")
    wanted = {"config/CCcam.cfg": places.config, "config/cccamd.toml": places.toml}
    wanted |= {f"state/{name}": places.state / name for name in sorted(STATE_NAMES)}
    for paths, is_key in ((companions, False), (keys, True)):
        for path in paths:
            _name_once(wanted, places.member(path, is_key=is_key), path)
    there = {name: path for name, path in wanted.items() if path.is_file()}
    if not there:
        raise BackupError("there is nothing to save: neither configuration nor node id")
    contents = {name: _read(name, path) for name, path in there.items()}
    manifest = {
        "format": FORMAT,
        "made_by": made_by,
        "from": {name: str(path) for name, path in there.items()},
    }
    text = json.dumps(manifest, indent=2).encode()
    replace_file(archive, _packed({MANIFEST: text, **contents}), mode=OWNER_ONLY)
    return list(there.values())


def _name_once(wanted: dict[str, Path], name: str, path: Path) -> None:
    """Two files of one name, from two folders, get a number."""
    folder, _, plain = name.partition("/")
    number = 1
    while wanted.get(name, path) != path:
        number += 1
        name = f"{'others' if folder == 'keys' else folder}/{number}-{plain}"
    wanted[name] = path


def _read(name: str, path: Path) -> bytes:
    if name == JOURNAL:
        return _journal_copy(path)
    with path.open("rb") as file:
        data = file.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise BackupError(f"{path} is larger than {SIZE_LIMIT // 2**20} MiB, so it is none of ours")
    return data


def _journal_copy(path: Path) -> bytes:
    """What the journal holds at one moment, also what its writer has only in its log."""
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(":memory:")) as copy,
        ):
            source.backup(copy)
            return copy.serialize()
    except sqlite3.Error as error:
        raise BackupError(f"{path} cannot be copied: {error}") from None


def _packed(contents: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), OWNER_ONLY
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


# Restoring.


def read_archive(archive: Path, places: Places) -> list[Content]:
    """Read and check a whole archive; nothing is written.

    Raises:
        BackupError: it is no backup of ours, or something in it is not what it should be.
        OSError: it cannot be read.
    """
    if archive.stat().st_size > JOURNAL_LIMIT:
        raise BackupError(f"{archive} is too large for a backup")
    try:
        with tarfile.open(archive, mode="r:") as tar:
            found = _members(tar)
    except BackupError:
        raise
    except (tarfile.TarError, ValueError, EOFError, OverflowError, RecursionError) as error:
        raise BackupError(f"{archive} is no backup, or damaged: {error}") from None
    manifest = found.pop(MANIFEST, None)
    if manifest is None or _format_of(manifest) != FORMAT:
        raise BackupError(f"{archive} is no backup of this version of cccamd")
    contents = [Content(places.place(name), _sound(name, data)) for name, data in found.items()]
    if len({content.path for content in contents}) < len(contents):
        raise BackupError("two files of the archive have the same place")
    return contents


def _members(tar: tarfile.TarFile) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for number, member in enumerate(tar, start=1):
        limit = JOURNAL_LIMIT if member.name == JOURNAL else SIZE_LIMIT
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            raise BackupError(f"{member.name!r} in the archive is no plain file")
        if not 0 <= member.size <= limit or number > MEMBERS_LIMIT or member.name in found:
            raise BackupError(f"{member.name!r} in the archive is too large, or there are too many")
        file = tar.extractfile(member)
        data = file.read() if file is not None else b""
        if len(data) != member.size:
            raise BackupError(f"{member.name!r} in the archive is cut off")
        found[member.name] = data
    return found


def _format_of(manifest: bytes) -> object:
    try:
        read = json.loads(manifest)
    except (ValueError, RecursionError):
        return None
    return read.get("format") if isinstance(read, dict) else None


def _sound(name: str, data: bytes) -> bytes:
    if name == JOURNAL and not data.startswith(_SQLITE):
        raise BackupError("the journal in the archive is none")
    return data


def put_back(contents: Iterable[Content], places: Places, *, force: bool = False) -> None:
    """Write what an archive holds.

    `force`: in place of what is there; such a file keeps its owner and rights.

    Raises:
        BackupError: a file is there already, a way leads through a link, or the server runs.
        OSError: a file cannot be written.
    """
    contents = list(contents)
    there = [str(each.path) for each in contents if os.path.lexists(each.path)]
    if there and not force:
        raise BackupError(f"would be overwritten: {', '.join(there)}; --force does so")
    for each in contents:
        if each.path.is_symlink() or (each.path.exists() and not each.path.is_file()):
            raise BackupError(f"{each.path} is there, and no plain file")
    places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(places.state / "journal.db.lock")
    if not lock.take():
        raise BackupError("the server is running; stop it first")
    try:
        for each in contents:
            _write(each, places)
    finally:
        lock.release()


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
