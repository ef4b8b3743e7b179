"""Who may come in, and who must go when it gets crowded. Pure: no sockets here.

The rule that keeps the server open under a flood: the number of connections that are not
logged in yet is bounded, and a new one pushes out the oldest, first of those that have not
said a word. A login takes one round trip, so an honest client is through long before its
turn comes.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar


class NoEntry(Enum):
    """Why a connection is closed before its first byte; the value is for people."""

    NETWORK = "its network is not allowed; cccamd.toml, [network] allow, can add it"
    FULL = "the server has as many connections as it may; cccamd.toml, [limits], says how many"
    ADDRESS_FULL = "this address has as many connections as one may; see cccamd.toml, [limits]"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """How many connections there may be."""

    connections: int
    pending_logins: int
    per_address: int | None = None


K = TypeVar("K", bound=Hashable)


class Admission(Generic[K]):
    """Counts connections from the door to the end. Keys are the caller's own."""

    def __init__(self, limits: AdmissionLimits, *, admits: Callable[[str], bool]) -> None:
        self.refused = 0
        """How many were closed before the first byte."""
        self.limits = limits
        """May be replaced at any time: they hold for whoever comes then."""
        self._admits = admits
        self._silent: OrderedDict[K, None] = OrderedDict()
        self._talking: OrderedDict[K, None] = OrderedDict()
        self._addresses: dict[K, str] = {}
        self._per_address: dict[str, int] = {}

    @property
    def pending(self) -> int:
        """How many connections are not logged in."""
        return len(self._silent) + len(self._talking)

    @property
    def connections(self) -> int:
        """How many connections there are in all."""
        return len(self._addresses)

    @property
    def inside(self) -> tuple[K, ...]:
        """The keys of all connections."""
        return tuple(self._addresses)

    def refusal(self, address: str) -> NoEntry | None:
        """Why a connection from this address cannot come in; None: it can."""
        refusal = self._refusal(address)
        self.refused += refusal is not None
        return refusal

    def _refusal(self, address: str) -> NoEntry | None:
        if not self._admits(address):
            return NoEntry.NETWORK
        if self.connections - self.pending >= self.limits.connections:
            return NoEntry.FULL
        most = self.limits.per_address
        if most is not None and self._per_address.get(address, 0) >= most:
            return NoEntry.ADDRESS_FULL
        return None

    def is_welcome(self, key: K) -> bool:
        """Whether the address of a connection would still be let in, or it has ended anyway."""
        address = self._addresses.get(key)
        return address is None or self._admits(address)

    def enter(self, key: K, address: str) -> K | None:
        """Take a connection in; return the key of one that must make room for it."""
        crowded_out = self._crowded_out()
        self._silent[key] = None
        self._addresses[key] = address
        self._per_address[address] = self._per_address.get(address, 0) + 1
        return crowded_out

    def heard(self, key: K) -> None:
        """Take note that a connection has said something."""
        if key in self._silent:
            del self._silent[key]
            self._talking[key] = None

    def logged_in(self, key: K) -> None:
        """Take note that a connection has proved who it is."""
        self._silent.pop(key, None)
        self._talking.pop(key, None)

    def leave(self, key: K) -> None:
        """Forget a connection that has ended."""
        self.logged_in(key)
        address = self._addresses.pop(key, None)
        if address is None:
            return
        left = self._per_address[address] - 1
        if left:
            self._per_address[address] = left
        else:
            del self._per_address[address]

    def _crowded_out(self) -> K | None:
        if self.pending < self.limits.pending_logins:
            return None
        return next(iter(self._silent or self._talking))
