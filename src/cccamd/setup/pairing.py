"""The servers that are paired with this one, and this one's own key, in files of their own.

Both lie beside the node id. The secret key is made once and never replaced by the program: it is
what others know this server by. The list of paired servers is TOML that a person can read; it is
read again whenever it has changed, so `cccamd pair` works on a running server.
"""

import fcntl
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cccamd.errors import CccamdError, NumberError
from cccamd.machine import OWNER_ONLY, replace_file
from cccamd.setup.files import ConfigFileError, ConfigFileMissingError, read_file
from cccamd.setup.pairnames import PAIR_NAME_RULE, is_pair_name
from cccamd.wire.keycodes import KeyCode, format_key_code, parse_key_code

KEY_FILE: Final = "link-key.pem"
LIST_FILE: Final = "paired.toml"
LOCK_FILE: Final = ".paired.lock"
_HEAD: Final = "# Servers that are paired with this one; `cccamd pair` writes this file.\n"

Stamp = tuple[int, int, int] | None


class PairingError(CccamdError):
    """The key or the list of paired servers cannot be used; says which file and why."""


@dataclass(frozen=True, slots=True)
class Paired:
    """One server that was paired."""

    name: str
    code: KeyCode
    since: datetime
    """When it was paired, or its key replaced."""

    @property
    def since_day(self) -> str:
        """The day, as people and messages write it."""
        return self.since.date().isoformat()


class Pairing:
    """The key and the list of one folder; nothing is made before it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.key_path = folder / KEY_FILE
        """The secret key and its certificate, as PEM."""
        self.list_path = folder / LIST_FILE
        self.trouble = ""
        """Why the list that is there is not used; the one read before counts on."""
        self._known: Mapping[str, Paired] = MappingProxyType({})
        self._stamp: Stamp = None

    def own_code(self) -> KeyCode:
        """The code of our own key, which is made if there is none.

        Raises:
            PairingError: it cannot be read or made.
        """
        try:
            if not self.key_path.exists():
                self._make_key()
            from cccamd.wire.certificates import code_of  # 3 MiB; most servers are not paired

            return code_of(read_file(self.key_path))
        except ConfigFileError as error:
            raise PairingError(str(error)) from None
        except OSError as error:
            raise PairingError(f"{self.key_path}: {error.strerror or error}") from None
        except ValueError:
            advice = "move it away to have a new key made; others must pair that one then"
            raise PairingError(f"{self.key_path}: this is no key of a server; {advice}") from None

    def paired(self) -> Mapping[str, Paired]:
        """The paired servers by name, as the file says now; never raises."""
        stamp = _stamp(self.list_path)
        if stamp != self._stamp:
            try:
                self._known, self.trouble = self._read(), ""
            except PairingError as error:
                self.trouble = str(error)
            self._stamp = stamp
        return self._known

    def find(self, code: KeyCode) -> Paired | None:
        """The paired server that has this key."""
        return next((each for each in self.paired().values() if each.code == code), None)

    def pair(self, name: str, code: KeyCode, *, replace: bool = False) -> Paired:
        """Add a server to the list.

        Raises:
            PairingError: the name or the key is in the list already, or it cannot be written.
        """
        if not is_pair_name(name):
            raise PairingError(f"{name!r} is no name: {PAIR_NAME_RULE}")
        if code == self.own_code():
            raise PairingError("this is the code of this server itself; it is for the other one")
        with self._editing() as known:
            before = known.get(name)
            if before is not None and before.code == code:
                return before
            if before is not None and not replace:
                text = f"{name} is paired since {before.since_day} with another key"
                raise PairingError(f"{text}; --replace if it has a new one and you know why")
            other = next((each.name for each in known.values() if each.code == code), None)
            if other is not None:
                raise PairingError(f"this key is paired already, as {other}")
            known[name] = Paired(name, code, datetime.now(UTC).replace(microsecond=0))
            return known[name]

    def forget(self, name: str) -> None:
        """Take a server out of the list.

        Raises:
            PairingError: it is not in it, or the list cannot be written.
        """
        with self._editing() as known:
            if known.pop(name, None) is None:
                raise PairingError(f"no server is paired as {name}")

    # Files.

    def _read(self) -> Mapping[str, Paired]:
        try:
            data = tomllib.loads(read_file(self.list_path).decode("utf-8"))
            return MappingProxyType({name: _entry(name, table) for name, table in data.items()})
        except ConfigFileMissingError:
            return MappingProxyType({})
        except ConfigFileError as error:
            raise PairingError(str(error)) from None
        except ValueError as error:  # no UTF-8, no TOML, no code
            raise PairingError(f"{self.list_path}: {error}") from None

    @contextmanager
    def _editing(self) -> Iterator[dict[str, Paired]]:
        """Change the list, one program at a time; it is written when nothing was raised."""
        try:
            self.list_path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                known = dict(self._read())
                yield known
                tables = "".join(_table(each) for each in known.values())
                _replace(self.list_path, (_HEAD + tables).encode())
        except OSError as error:
            raise PairingError(f"{self.list_path}: {error.strerror or error}") from None

    def _make_key(self) -> None:
        """Whoever is first makes it: a second program finds the key of the first."""
        self.key_path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not self.key_path.exists():
                from cccamd.wire.certificates import make_key  # as in `own_code`

                _replace(self.key_path, make_key())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One program at a time."""
        path = self.list_path.with_name(LOCK_FILE)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        try:
            _give_to_owner_of_folder(path, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _entry(name: str, table: object) -> Paired:
    if not isinstance(table, dict) or not is_pair_name(name):
        raise NumberError(f"[{name}]: expected code and since")
    code, since = table.get("code"), table.get("since")
    if not isinstance(code, str) or not isinstance(since, datetime):
        raise NumberError(f"[{name}]: expected code and since")
    return Paired(name, parse_key_code(code), since)


def _table(paired: Paired) -> str:
    code, since = format_key_code(paired.code), paired.since.isoformat()
    return f'\n["{paired.name}"]\ncode = "{code}"\nsince = {since}\n'


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _replace(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read; a kill at any moment leaves the old one."""
    replace_file(path, data, prepare=lambda new: _give_to_owner_of_folder(path, new))


def _give_to_owner_of_folder(path: Path, descriptor: int) -> None:
    """`cccamd pair` as root must not make files that the server's own user cannot read."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
