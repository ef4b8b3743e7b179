"""Who may come in, and who must go when it gets crowded. Pure: no sockets here.

The rule that keeps the server open under a flood: the number of connections that are not
logged in yet is bounded, and a new one pushes out one of those that have most. That is looked
for from the whole to the part: the network with most of them, in it the source with most, of it
the oldest that has not said a word, else the oldest. So a flood pushes out itself, from however
many addresses of one network it comes. And where the honest client and the flood share one
address, a login takes one round trip: the honest client has said its word, and is through, long
before its turn comes.

Each step costs the same however many there are: `_Most` keeps who has most at hand.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from cccamd.net.origins import Origin, origin_of


class NoEntry(Enum):
    """Why a connection is closed before its first byte; the value is for people."""

    NETWORK = "its network is not allowed; cccamd.toml, [network] allow, can add it"
    BANNED = (
        "too many logins from there failed; it is let in again after a while (cccamd.toml,"
        " [penalties])"
    )
    FULL = (
        "the server has as many connections as it may; cccamd.toml, [limits], says how many, or the"
        " file descriptors that the system gives it"
    )
    ADDRESS_FULL = "this address has as many connections as one may; see cccamd.toml, [limits]"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """How many connections there may be."""

    connections: int
    """Logged in."""
    pending_logins: int
    per_address: int | None = None
    """Connections of one address, logged in or not."""
    pending_per_source: int | None = None
    """Not logged in, of one source that is not near; the oldest of them makes room."""
    pending_per_network: int | None = None
    """The same for all sources of a network together."""


K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=Hashable)


class Admission(Generic[K]):
    """Counts connections from the door to the end. Keys are the caller's own."""

    def __init__(
        self,
        limits: AdmissionLimits,
        *,
        admits: Callable[[str], bool],
        is_near: Callable[[str], bool] = lambda address: False,
        is_banned: Callable[[str], bool] = lambda address: False,
    ) -> None:
        """`is_near`: of whom more is borne, because they are the operator's own."""
        self.refused = 0
        """How many were closed before the first byte."""
        self.limits = limits
        """May be replaced at any time: they hold for whoever comes then."""
        self._admits = admits
        self._is_near = is_near
        self._is_banned = is_banned
        self._addresses: dict[K, str] = {}
        self._per_address: dict[str, int] = {}
        self._waiting: _Crowd[K] = _Crowd()
        self._is_torn = False
        """Whether a change goes on; or was broken off, for want of memory, say: then what is
        counted here and there does not agree any more."""

    @property
    def pending(self) -> int:
        """How many connections are not logged in."""
        return len(self._waiting)

    @property
    def connections(self) -> int:
        """How many connections there are in all."""
        return len(self._addresses)

    @property
    def inside(self) -> tuple[K, ...]:
        """The keys of all connections."""
        return tuple(self._addresses)

    def __contains__(self, key: object) -> bool:
        """Whether this connection has come in, and has not ended."""
        return key in self._addresses

    def refusal(self, address: str) -> NoEntry | None:
        """Why a connection from this address cannot come in; None: it can."""
        refusal = self._refusal(address)
        self.refused += refusal is not None
        return refusal

    def _refusal(self, address: str) -> NoEntry | None:
        if not self._admits(address):
            return NoEntry.NETWORK
        if self._is_banned(address):
            return NoEntry.BANNED
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
        self._mend()
        crowded_out = self._crowded_out(address)
        self._is_torn = True
        try:
            self._addresses[key] = address
            self._per_address[address] = self._per_address.get(address, 0) + 1
            self._waiting.add(key, origin_of(address))
            self._is_torn = False
            return crowded_out
        except BaseException:
            self._is_torn = True
            self._addresses.pop(key, None)
            raise

    def heard(self, key: K) -> None:
        """Take note that a connection has said something."""
        self._mend()
        self._is_torn = True
        self._waiting.heard(key)
        self._is_torn = False

    def logged_in(self, key: K) -> None:
        """Take note that a connection has proved who it is."""
        self._mend()
        self._is_torn = True
        self._waiting.discard(key)
        self._is_torn = False

    def waits_again(self, key: K) -> None:
        """Take note that a connection is at its beginning again, for protocols that have that."""
        self._mend()
        address = self._addresses.get(key)
        if address is not None:
            self._is_torn = True
            self._waiting.discard(key)
            self._waiting.add(key, origin_of(address))
            self._is_torn = False

    def succeed(self, key: K, heir: K) -> None:
        """Let another key stand for a connection that is not logged in, from now on."""
        address = self._addresses.get(key)
        if address is not None:
            self.leave(key)
            self.enter(heir, address)

    def leave(self, key: K) -> None:
        """Forget a connection that has ended."""
        self._mend()
        if key not in self._addresses:
            return
        self._is_torn = True
        address = self._addresses.pop(key)
        self._waiting.discard(key)
        left = self._per_address[address] - 1
        if left:
            self._per_address[address] = left
        else:
            del self._per_address[address]
        self._is_torn = False

    def _mend(self) -> None:
        """Count anew if a change was broken off: from who is here, which is never in doubt."""
        if not self._is_torn:
            return
        per_address: dict[str, int] = {}
        for address in self._addresses.values():
            per_address[address] = per_address.get(address, 0) + 1
        waiting: _Crowd[K] = _Crowd()
        for key in self._waiting.members:
            if (found := self._addresses.get(key)) is not None:
                waiting.add(key, origin_of(found))
        self._per_address, self._waiting, self._is_torn = per_address, waiting, False

    def dispensable(self) -> K | None:
        """Who would have to go next; None: nobody is here who is not logged in."""
        self._mend()
        return self._waiting.oldest_of_most()

    def _crowded_out(self, address: str) -> K | None:
        limits, waiting, origin = self.limits, self._waiting, origin_of(address)
        if not self._is_near(address):
            most = limits.pending_per_source
            if most is not None and waiting.count_of(origin) >= most:
                return waiting.oldest_of_source(origin)
            most = limits.pending_per_network
            if most is not None and waiting.count_in(origin.network) >= most:
                return waiting.oldest_in(origin.network)
        if len(waiting) >= limits.pending_logins:
            return waiting.oldest_of_most()
        return None


class _Most(Generic[T]):
    """Counts, and knows at any time who has most; of several the first who had so many."""

    __slots__ = ("_by_count", "_counts", "_most")

    def __init__(self) -> None:
        self._counts: dict[T, int] = {}
        self._by_count: dict[int, dict[T, None]] = {}
        self._most = 0

    def __getitem__(self, who: T) -> int:
        return self._counts.get(who, 0)

    def top(self) -> T:
        return next(iter(self._by_count[self._most]))

    def add(self, who: T, more: int) -> None:
        """`more` is 1 or -1: so the top never sinks by more than one."""
        before = self._counts.get(who, 0)
        after = before + more
        if before:
            there = self._by_count[before]
            del there[who]
            if not there:
                del self._by_count[before]
                if before == self._most:
                    self._most = after
        if after:
            self._counts[who] = after
            self._by_count.setdefault(after, {})[who] = None
            self._most = max(self._most, after)
        else:
            del self._counts[who]


@dataclass(slots=True)
class _Source(Generic[K]):
    """Who waits of one source, the oldest first."""

    silent: dict[K, None] = field(default_factory=dict)
    talking: dict[K, None] = field(default_factory=dict)

    def oldest(self) -> K:
        return next(iter(self.silent or self.talking))


class _Crowd(Generic[K]):
    """Who waits, by networks and by the sources in them."""

    def __init__(self) -> None:
        self._origins: dict[K, Origin] = {}
        self._sources: dict[str, _Source[K]] = {}
        self._networks: _Most[str] = _Most()
        self._in_network: dict[str, _Most[str]] = {}

    def __len__(self) -> int:
        return len(self._origins)

    @property
    def members(self) -> tuple[K, ...]:
        """All of them, in the order they came."""
        return tuple(self._origins)

    def count_of(self, origin: Origin) -> int:
        within = self._in_network.get(origin.network)
        return within[origin.source] if within is not None else 0

    def count_in(self, network: str) -> int:
        return self._networks[network]

    def add(self, key: K, origin: Origin) -> None:
        self._origins[key] = origin
        source = self._sources.get(origin.source)
        if source is None:
            source = self._sources[origin.source] = _Source()
        source.silent[key] = None
        self._networks.add(origin.network, 1)
        self._in_network.setdefault(origin.network, _Most()).add(origin.source, 1)

    def heard(self, key: K) -> None:
        origin = self._origins.get(key)
        if origin is not None:
            source = self._sources[origin.source]
            if key in source.silent:
                del source.silent[key]
                source.talking[key] = None

    def discard(self, key: K) -> None:
        origin = self._origins.pop(key, None)
        if origin is None:
            return
        source = self._sources[origin.source]
        source.silent.pop(key, None)
        source.talking.pop(key, None)
        if not source.silent and not source.talking:
            del self._sources[origin.source]
        self._networks.add(origin.network, -1)
        within = self._in_network[origin.network]
        within.add(origin.source, -1)
        if not self._networks[origin.network]:
            del self._in_network[origin.network]

    def oldest_of_source(self, origin: Origin) -> K:
        return self._sources[origin.source].oldest()

    def oldest_in(self, network: str) -> K:
        return self._sources[self._in_network[network].top()].oldest()

    def oldest_of_most(self) -> K | None:
        return self.oldest_in(self._networks.top()) if self._origins else None
