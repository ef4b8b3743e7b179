"""All that makes this server the one it is, in one tar file; and such a file read and checked.

Theory of operation. The archive is not trusted: it names no places. A member is one of a few names
in one of two folders (`config/`, `state/`), or it is a key file of a card; where each goes is
decided here, from what this machine has. What has no place of its own lands in `restored/` beside
the node id, for a person to move. All is read and checked before anything is written
(`restoring.py`): its first member lists the others with their hashes, so that one that was cut off
between two members, or changed, is noticed.
"""

import hashlib
import io
import json
import os
import re
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cccamd.errors import CccamdError
from cccamd.machine import OWNER_ONLY, replace_file
from cccamd.setup.files import SIZE_LIMIT, open_regular

if TYPE_CHECKING:
    from tarfile import TarFile

FORMAT: Final = 1
MANIFEST: Final = "cccamd-backup.json"
JOURNAL: Final = "state/journal.db"
UNDER_WAY: Final = "restore.tar"
"""Beside the node id, an archive whose files are being put in place."""
JOURNAL_LIMIT: Final = 1024 * 1024 * 1024
"""Bytes of a journal, and of a whole archive; by default a journal has 64 MiB."""
MEMBERS_LIMIT: Final = 100
SHOWN_LIMIT: Final = 60
"""Letters of a name that is refused."""
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
        raise BackupError(f"the archive has {_shown(member)}, which no backup of cccamd has")

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

    name: str
    """In the archive."""
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
    if archive.exists() and not archive.is_file():
        raise BackupError(f"{archive} is there, and no plain file")
    if os.path.lexists(archive) and not force:
        raise BackupError(f"{archive} is there already; --force overwrites it")
    if (places.state / UNDER_WAY).exists():
        raise BackupError("a restore was interrupted: run it again first, to its end")
    wanted = {"config/CCcam.cfg": places.config, "config/cccamd.toml": places.toml}
    wanted |= {f"state/{name}": places.state / name for name in sorted(STATE_NAMES)}
    for paths, is_key in ((companions, False), (keys, True)):
        for path in paths:
            _name_once(wanted, places.member(path, is_key=is_key), path)
    there = {name: path for name, path in wanted.items() if path.is_file()}
    if not there:
        raise BackupError("there is nothing to save: neither configuration nor node id")
    contents = {name: _read(name, path) for name, path in there.items()}
    whole = packed(contents, made_by, {name: str(path) for name, path in there.items()})
    replace_file(archive, whole, mode=OWNER_ONLY)
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


def packed(contents: Mapping[str, bytes], made_by: str, origins: Mapping[str, str]) -> bytes:
    """An archive of these, with a list of them as its first member."""
    manifest = {
        "format": FORMAT,
        "made_by": made_by,
        "from": {name: origins.get(name, "") for name in contents},
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
    }
    import tarfile  # 0.4 MiB, which the server does without

    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in {MANIFEST: json.dumps(manifest, indent=2).encode(), **contents}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), OWNER_ONLY
            tar.addfile(member, io.BytesIO(data))
    return whole.getvalue()


# Reading.


def read_archive(archive: Path, places: Places) -> list[Content]:
    """Read and check a whole archive; nothing is written.

    Raises:
        BackupError: it is no backup of ours, or something in it is not what it should be.
        ConfigFileError: it is no file.
        OSError: it cannot be read.
    """
    import tarfile

    if archive.stat().st_size > JOURNAL_LIMIT:
        raise BackupError(f"{archive} is too large for a backup")
    try:
        with open_regular(archive) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            found = _members(tar)
    except (tarfile.TarError, ValueError, EOFError, OverflowError, RecursionError):
        raise BackupError(_why_no_backup(archive)) from None
    manifest = _manifest(found.pop(MANIFEST, None))
    if manifest is None or manifest.get("format") != FORMAT:
        raise BackupError(f"{archive} is no backup of this version of cccamd")
    contents = [
        Content(name, places.place(name), _sound(name, data)) for name, data in found.items()
    ]
    _compare(manifest, found)
    if len({content.path for content in contents}) < len(contents):
        raise BackupError("two files of the archive have the same place")
    return contents


_PACKED_WITH: Final = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK": "zip"}


def _why_no_backup(archive: Path) -> str:
    with open_regular(archive) as file:
        start = file.read(8)
    for first, program in _PACKED_WITH.items():
        if start.startswith(first):
            return f"{archive} is packed with {program}, as no backup is: unpack it first"
    if not start:
        return f"{archive} is empty"
    return f"{archive} is no backup, or damaged: what it holds is no tar archive"


def _members(tar: "TarFile") -> dict[str, bytes]:
    from tarfile import AREGTYPE, REGTYPE

    found: dict[str, bytes] = {}
    for number, member in enumerate(tar, start=1):
        name, limit = member.name, JOURNAL_LIMIT if member.name == JOURNAL else SIZE_LIMIT
        if number == 1 and name != MANIFEST:
            raise BackupError("the archive does not begin as a backup of cccamd does")
        if member.type not in (REGTYPE, AREGTYPE) or member.issparse():
            raise BackupError(f"{_shown(name)} in the archive is no plain file")
        if number > MEMBERS_LIMIT:
            raise BackupError(f"the archive has more than {MEMBERS_LIMIT} files, as no backup has")
        if name in found:
            raise BackupError(f"{_shown(name)} is in the archive twice")
        if not 0 <= member.size <= limit:
            raise BackupError(f"{_shown(name)} in the archive is too large")
        file = tar.extractfile(member)
        data = file.read() if file is not None else b""
        if len(data) != member.size:
            raise BackupError(f"{_shown(name)} in the archive is cut off")
        found[name] = data
    return found


def _shown(name: str) -> str:
    """A name of somebody else's, so that it can be printed."""
    return ascii(name if len(name) <= SHOWN_LIMIT else f"{name[:SHOWN_LIMIT]}...")


def _manifest(data: bytes | None) -> dict[str, object] | None:
    try:
        read = json.loads(data or b"")
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _compare(manifest: Mapping[str, object], found: Mapping[str, bytes]) -> None:
    """Whether all is there that the list names, and nothing else, as it was."""
    listed, hashes = manifest.get("from"), manifest.get("sha256")
    if not isinstance(listed, dict):
        raise BackupError("the list of what is in the archive is damaged")
    if missing := sorted(listed.keys() - found.keys()):
        raise BackupError(f"the archive is cut off: {_shown(missing[0])} is missing")
    if more := sorted(found.keys() - listed.keys()):
        raise BackupError(f"{_shown(more[0])} was put into the archive later")
    for name, data in found.items():
        # Older ones have no hashes.
        if isinstance(hashes, dict) and hashes.get(name) != hashlib.sha256(data).hexdigest():
            raise BackupError(f"{_shown(name)} in the archive is damaged")


def _sound(name: str, data: bytes) -> bytes:
    if name == JOURNAL and not data.startswith(_SQLITE):
        raise BackupError("the journal in the archive is none")
    return data
