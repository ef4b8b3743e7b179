"""The `open` kind: a card of the open test CAS, its keys in a file (docs/open-cas.md)."""

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from cccamd.ids import Ident, Sid, format_caid
from cccamd.lab.cas import Addressee, CardKeys, CasError, decode, learn
from cccamd.lab.storage import (
    StorageError,
    lock_key_file,
    permission_warnings,
    read_key_file,
    replace_key_file,
)
from cccamd.localcards import (
    CannotDecode,
    CardConfig,
    CardOptions,
    CardUnavailable,
    EmmMatch,
    EmmRefused,
    ImmediateCard,
)
from cccamd.machine import FileLock
from cccamd.values import SA_LENGTH, ControlWords


class OpenOptions(CardOptions):
    """Where the card's keys are."""

    keys: str = Field(min_length=1, description="the name of a file that `cccamd cas` made")


class OpenCard(ImmediateCard):
    """Decodes with the service keys of its file, and keeps there what EMMs teach it."""

    Options = OpenOptions

    def __init__(self, config: CardConfig, options: OpenOptions) -> None:
        super().__init__(config, options)
        self._path = self.owned_file(config, options)
        self._lock: FileLock | None = None
        """Held from the start to the end: who writes the file is the only one."""
        self._keys: CardKeys  # there after start
        self._unsaved = False
        self._ours: set[str] = set()
        """What the file may hold that is of this card: as it was read, or written since."""
        self._saving = threading.Lock()

    @classmethod
    def owned_file(cls, config: CardConfig, options: CardOptions) -> Path:
        """The key file."""
        assert isinstance(options, OpenOptions)
        return config.folder / options.keys

    async def start(self) -> None:
        """Load the key file and see whether it belongs to this table."""
        try:
            self._lock = await asyncio.to_thread(lock_key_file, self._path)
            self._keys = await asyncio.to_thread(read_key_file, self._path, CardKeys)
            self._ours = {self._keys.serialize()}
        except StorageError as error:
            raise CardUnavailable(str(error)) from None
        if self._keys.caid != self.config.caid:
            raise CardUnavailable(
                f"{self._path} is a card of CAID {format_caid(self._keys.caid)}, "
                f"the table says {format_caid(self.config.caid)}"
            )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Whether the key file is private, and can be kept up to date."""
        return permission_warnings(self._path)

    @property
    def ua(self) -> bytes:
        """The card's own address."""
        return self._keys.ua

    def sa(self, ident: Ident) -> bytes:
        """The SA of the first group under this provider, or zeros."""
        found = (sa for sa, group in self._keys.groups.items() if group.ident == ident)
        return next(found, bytes(SA_LENGTH))

    @property
    def emm_matches(self) -> tuple[EmmMatch, ...]:
        """Those for this card, for its groups, and for all (docs/open-cas.md section 5)."""
        groups = (_emms_to(Addressee.GROUP, address) for address in self._keys.groups)
        return (
            _emms_to(Addressee.CARD, self._keys.ua),
            *groups,
            _emms_to(Addressee.ALL, b""),
        )

    def decode_now(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords:
        """Decode with the service key that the ECM names."""
        try:
            return decode(self._keys, ecm, sid=sid, now=datetime.now(UTC))
        except CasError as error:
            raise CannotDecode(str(error)) from None

    async def handle_emm(self, emm: bytes) -> None:
        """Learn, and return when the disk has it."""
        try:
            self._keys = learn(self._keys, emm)
            self._unsaved = True
        except CasError as error:
            raise EmmRefused(str(error)) from None
        finally:
            await self._save()

    async def _save(self) -> None:
        """Write what is not on the disk yet; a failed write is tried again with the next EMM."""
        if not self._unsaved:
            return
        try:
            await asyncio.to_thread(self._save_newest)
        except StorageError as error:
            raise EmmRefused(f"learnt until the next restart only: {error}") from None

    def _save_newest(self) -> None:
        """Runs in a thread that outlives a cancelled EMM; the lock keeps the order.

        Each thread writes what is newest when its turn comes, so an older state never
        replaces a newer one.
        """
        with self._saving:
            self._unsaved = False  # before reading: what is learnt from now on is the next's
            try:
                self._see_that_it_is_ours()
                keys = self._keys
                self._ours.add(keys.serialize())  # it may be there, even if that fails
                replace_key_file(self._path, keys)
                self._ours = {keys.serialize()}
            except StorageError:
                self._unsaved = True
                raise

    def _see_that_it_is_ours(self) -> None:
        """A file that somebody has put there meanwhile holds keys that exist nowhere else."""
        try:
            found = read_key_file(self._path, CardKeys).serialize()
        except StorageError:
            return  # it is gone, or holds no keys
        if found not in self._ours:
            raise StorageError(
                f"{self._path} was changed by somebody else: it is left as it is, and counts after"
                " a restart"
            )

    async def close(self) -> None:
        """Try once more to keep what could not be written."""
        try:
            await self._save()
        finally:
            if self._lock is not None:
                with self._saving:  # a thread that outlived its EMM may still write
                    self._lock.release()


def _emms_to(addressee: Addressee, address: bytes) -> EmmMatch:
    """Table id, any format version, address."""
    return EmmMatch(bytes((addressee, 0)) + address, bytes((0xFF, 0)) + b"\xff" * len(address))
