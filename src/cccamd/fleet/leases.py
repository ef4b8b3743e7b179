"""Which node of a fleet has a seat of an account: plain decisions, like those about claims.

Theory of operation. Each account has as many *seats* as `logins` says, and each seat is an entry at
the engine for `LEASE` seconds, which whoever has it keeps up. A login takes these steps, after its
own node found room for it:

    ASKING   the seats are claimed one after the other. One is ours: `Granted`
    DOUBTING others have all of them. Their nodes are asked whether their clients still live, as a
             node asks its own holders of a seat (server/seats.py): `Refused` if they do, and a seat
             whose client is dead, or whose node says nothing, is taken over
    HELD     the seat is ours
    LOOSE    the client is in, and no seat at the engine is ours: the engine is away or slow, or has
             forgotten. It is claimed as soon as may be
    PROVING  it was claimed late, and another node has it for a client that came after ours: ours
             stays if it gives a sign of life

Who comes in at the node that has its account's entry already, since the one before is gone or about
to be, is its heir: the entry goes over from one client to the other, and is never free in between.

So nobody waits for an engine that is away, and nothing has to be repaired when it is back: of two
clients that came in while it was away, on two nodes, the one that came first stays if it lives, and
the other one is ended (`End`). Of two that came at the same time the node's name decides. Times are
those of the nodes' clocks; a wrong one only decides wrongly who of the two was first.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

from cccamd.fleet.actions import (
    Claim,
    Claimed,
    EngineAction,
    EngineBack,
    EngineEvent,
    EngineLost,
    Extend,
    Extended,
    Fetch,
    Fetched,
    Publish,
    Pushed,
    Release,
    Take,
    Watch,
)
from cccamd.fleet.claims import Seals
from cccamd.fleet.due import DueQueue
from cccamd.ids import is_fleet_name

LEASE: Final = 30.0
"""Seconds after which the seat of a node that is gone is free."""
RENEWED: Final = 10.0
"""Seconds between two times that a lease is kept up, or that a loose one is claimed."""
ENGINE_PATIENCE: Final = 0.3
"""Seconds that a login waits for the engine, all in all; then it is in without it."""
DOUBT_PATIENCE: Final = 1.65
"""Seconds that another node may take to look for a sign of life; its own look takes 1.5."""
BACK_RATE: Final = 500.0
"""Seats a second that are claimed when the engine is back."""
SLICE: Final = 100
"""Seats that are looked at in one go."""


class Granted(NamedTuple):
    """Let it in."""

    number: int


class Refused(NamedTuple):
    """Turn it away: others who live have all seats of its account."""

    number: int
    where: tuple[str, ...]
    """The nodes that have them."""


class Prove(NamedTuple):
    """Ask this client of ours for a sign of life, and tell `judged`."""

    number: int


class End(NamedTuple):
    """Its seat is another client's: end it."""

    number: int
    where: str
    """That client's node."""
    is_dead: bool
    """Whether it gave no sign of life; else the other one came first."""


Decision = EngineAction | Granted | Refused | Prove | End


class Holding(NamedTuple):
    """What is in a seat's entry."""

    node: str
    since: float
    """When its client came, by that node's clock."""


class _Stage(Enum):
    ASKING = auto()
    DOUBTING = auto()
    HELD = auto()
    LOOSE = auto()
    PROVING = auto()


@dataclass(slots=True, eq=False)
class _Seat:
    """One client of this node, from its login on."""

    number: int
    user: bytes
    logins: int
    since: float
    stage: _Stage
    name: bytes = b""
    """Of the entry that is claimed or held."""
    value: bytes = b""
    tried: set[bytes] = field(default_factory=set)
    rivals: dict[bytes, tuple[bytes, Holding]] = field(default_factory=dict)
    """What is in the entries that others have."""
    alive: set[bytes] = field(default_factory=set)
    askers: set[str] = field(default_factory=set)
    """Nodes that want to know whether it lives."""
    due_at: float | None = None

    @property
    def is_in(self) -> bool:
        return self.stage in (_Stage.HELD, _Stage.LOOSE, _Stage.PROVING)


class Leases:
    """Decides for one node. Times are seconds, monotonic; what is returned is to be done in order.

    Each seat has a number of its own. What was begun must be `left`, once, unless it was refused.
    """

    def __init__(self, node: str, seals: Seals) -> None:
        self.node = node
        self.is_up = False
        self._seals = seals
        self._channel = self._channel_of(node)
        self._seats: dict[int, _Seat] = {}
        self._by_name: dict[bytes, _Seat] = {}
        self._heirs: dict[bytes, dict[int, _Seat]] = {}
        """By user: who is in while others of ours have all entries, and gets that of who goes."""
        self._due: DueQueue[_Seat] = DueQueue()

    def begin(self, number: int, user: bytes, logins: int, now: float, at: float) -> list[Decision]:
        """Somebody wants in, and this node has room for it. `at`: the time of day."""
        seat = self._seats[number] = _Seat(number, user, logins, at, _Stage.LOOSE)
        if not self.is_up:
            return [Granted(number)]
        seat.stage = _Stage.ASKING
        self._due.set(seat, now + ENGINE_PATIENCE)
        return self._try(seat, now)

    def left(self, number: int) -> list[Decision]:
        """It is gone, or never came in."""
        seat = self._seats.pop(number, None)
        if seat is None:
            return []
        seat.due_at = None
        name, heir = seat.name, self._heir_of(seat)
        decisions = self._give_up(seat) if heir is None else self._hand_over(seat, heir)
        for node in seat.askers:
            decisions += self._tell(node, "free" if heir is None else "lives", name)
        return decisions

    def judged(self, number: int, lives: bool, now: float) -> list[Decision]:
        """Whether a client that was to be proved gave a sign of life."""
        seat = self._seats.get(number)
        if seat is None:
            return []
        decisions: list[Decision] = []
        if lives:
            for node in seat.askers:
                decisions += self._tell(node, "lives", seat.name)
            seat.askers.clear()
            if seat.stage is _Stage.PROVING and seat.name in seat.rivals:
                decisions += self._take(seat, now)
            return decisions
        where = next(iter(seat.askers), None) or next(
            (holding.node for _, holding in seat.rivals.values()), self.node
        )
        return [*self.left(number), End(number, where, is_dead=True)]

    def next_deadline(self) -> float | None:
        """When `handle_deadline` has something to do."""
        return self._due.next_at()

    def handle_deadline(self, now: float) -> list[Decision]:
        """Keep leases up, and wait no longer where it was waited long enough."""
        decisions: list[Decision] = []
        for _ in range(SLICE):
            if (seat := self._due.pop(now)) is None:
                break
            decisions += self._is_due(seat, now)
        return decisions

    def handle(self, event: EngineEvent, now: float) -> list[Decision]:
        """Go on with what the engine tells."""
        match event:
            case EngineBack():
                self.is_up = True
                for count, each in enumerate(self._seats.values()):
                    self._due.set(each, now + count / BACK_RATE)
                return [Watch(self._channel)]
            case EngineLost():
                self.is_up = False
                return self._lost()
            case Claimed() | Extended() | Fetched():
                seat = self._by_name.get(event.name)
                return [] if seat is None else self._answered(seat, event, now)
            case Pushed(channel, name, value) if channel == self._channel:
                return self._told(name, value, now)
        return []

    # Steps of one seat.

    def _answered(
        self, seat: _Seat, event: Claimed | Extended | Fetched, now: float
    ) -> list[Decision]:
        match event:
            case Claimed(_, won):
                return self._hold(seat, now) if won else [Fetch(seat.name)]
            case Extended(_, held):
                return self._extended(seat, held, now)
            case Fetched(_, value):
                return self._fetched(seat, value, now)

    def _try(self, seat: _Seat, now: float) -> list[Decision]:
        """Claim the next seat of the account, if there is one."""
        for name in self._names_of(seat):
            if name not in seat.tried and name not in self._by_name:
                seat.tried.add(name)
                self._name(seat, name)
                return [Claim(name, seat.value, int(1000 * LEASE))]
        if seat.is_in:
            return self._compare(seat, now)
        return self._doubt(seat, now)

    def _names_of(self, seat: _Seat) -> Iterator[bytes]:
        """Of all entries that its account has."""
        for index in range(seat.logins):
            yield self._seals.name("seat", seat.user, index.to_bytes(2))

    def _name(self, seat: _Seat, name: bytes) -> None:
        seat.name = name
        self._by_name[name] = seat
        told = json.dumps([self.node, seat.since]).encode()
        seat.value = self._seals.seal(name, told)

    def _unname(self, seat: _Seat) -> None:
        if self._by_name.get(seat.name) is seat:
            del self._by_name[seat.name]
        seat.name = seat.value = b""

    def _hold(self, seat: _Seat, now: float) -> list[Decision]:
        was_in = seat.is_in
        seat.stage = _Stage.HELD
        seat.tried.clear()
        seat.rivals.clear()
        self._due.set(seat, now + RENEWED)
        return [] if was_in else [Granted(seat.number)]

    def _fetched(self, seat: _Seat, value: bytes | None, now: float) -> list[Decision]:
        """Who has the entry that was claimed."""
        if seat.stage in (_Stage.HELD, _Stage.PROVING):
            return []
        if value == seat.value:
            return self._hold(seat, now)
        holding = self._read(seat.name, value)
        if holding is None or holding.node == self.node:  # given up, or of a run of before
            return [self._taking(seat, value or b"")]
        name = seat.name
        self._unname(seat)
        seat.rivals[name] = (value or b"", holding)
        return self._try(seat, now)

    def _taking(self, seat: _Seat, before: bytes) -> Take:
        return Take(seat.name, before, seat.value, int(1000 * LEASE))

    def _extended(self, seat: _Seat, held: bool, now: float) -> list[Decision]:
        """The answer to what was to be kept up, or taken over."""
        if held:
            return self._hold(seat, now)
        if not seat.is_in:
            return self._refuse(seat)  # another was faster
        self._unname(seat)
        return self._claim_anew(seat, now)

    def _claim_anew(self, seat: _Seat, now: float) -> list[Decision]:
        seat.stage = _Stage.LOOSE
        seat.tried.clear()
        seat.rivals.clear()
        self._due.set(seat, now + RENEWED)
        return self._try(seat, now)

    # Others who have it.

    def _compare(self, seat: _Seat, now: float) -> list[Decision]:
        """It is in, and others have all seats: the last that came has to go."""
        if not seat.rivals:  # our own clients have them all: this node's rule is enough
            self._heirs.setdefault(seat.user, {})[seat.number] = seat
            return []
        name, (_, last) = max(
            seat.rivals.items(), key=lambda each: (each[1][1].since, each[1][1].node)
        )
        if (seat.since, self.node) > (last.since, last.node):
            return [*self.left(seat.number), End(seat.number, last.node, is_dead=False)]
        if name in self._by_name:
            return []
        seat.stage = _Stage.PROVING
        self._name(seat, name)
        return [Prove(seat.number)]

    def _take(self, seat: _Seat, now: float) -> list[Decision]:
        seat.stage = _Stage.LOOSE
        self._due.set(seat, now + RENEWED)
        value, holding = seat.rivals[seat.name]
        return [self._taking(seat, value), *self._tell(holding.node, "taken", seat.name)]

    def _doubt(self, seat: _Seat, now: float) -> list[Decision]:
        if not seat.rivals:
            self._heirs.setdefault(seat.user, {})[seat.number] = seat
            return self._let_in(seat, now)
        for name in self._names_of(seat):
            if (own := self._by_name.get(name)) is not None:
                seat.rivals[name] = own.value, Holding(self.node, own.since)
        seat.stage = _Stage.DOUBTING
        self._due.set(seat, now + DOUBT_PATIENCE)
        decisions: list[Decision] = []
        for name, (_, holding) in seat.rivals.items():
            decisions += self._tell(holding.node, "doubt", name)
        return decisions

    def _told(self, name: bytes, value: bytes, now: float) -> list[Decision]:
        """What another node tells of one seat."""
        said = self._read_told(name, value)
        if said is None:
            return []
        node, words = said
        if words == "doubt":
            return self._doubted(name, node)
        if words == "taken":
            return self._may_be_taken(name)
        for seat in list(self._seats.values()):
            if seat.stage is not _Stage.DOUBTING or seat.name or name not in seat.rivals:
                continue
            if words == "free":
                self._due.set(seat, now + ENGINE_PATIENCE)
                if name not in self._by_name:
                    self._name(seat, name)
                    return [self._taking(seat, seat.rivals[name][0])]
            seat.alive.add(name)
            if seat.alive >= seat.rivals.keys():
                return self._refuse(seat)
        return []

    def _doubted(self, name: bytes, node: str) -> list[Decision]:
        seat = self._by_name.get(name)
        if seat is None:
            return self._tell(node, "free", name)
        if not seat.is_in:
            return self._tell(node, "lives", name)
        seat.askers.add(node)
        return [Prove(seat.number)] if len(seat.askers) == 1 else []

    def _may_be_taken(self, name: bytes) -> list[Decision]:
        seat = self._by_name.get(name)
        if seat is None or seat.stage is not _Stage.HELD:
            return []
        return [Extend(seat.name, seat.value, int(1000 * LEASE))]

    def _refuse(self, seat: _Seat) -> list[Decision]:
        nodes = tuple(dict.fromkeys(holding.node for _, holding in seat.rivals.values()))
        self._unname(seat)
        return [*self.left(seat.number), Refused(seat.number, nodes)]

    def _let_in(self, seat: _Seat, now: float) -> list[Decision]:
        """Without the engine."""
        seat.stage = _Stage.LOOSE
        self._due.set(seat, now + RENEWED)
        return [Granted(seat.number)]

    # Time, and the engine.

    def _is_due(self, seat: _Seat, now: float) -> list[Decision]:
        if seat.number not in self._seats:
            return []
        match seat.stage:
            case _Stage.ASKING:
                return self._let_in(seat, now)
            case _Stage.DOUBTING if seat.name or not self.is_up:
                return self._let_in(seat, now)  # the engine says nothing any more
            case _Stage.DOUBTING:
                return self._take_from_the_silent(seat, now)
            case _Stage.HELD if self.is_up:
                self._due.set(seat, now + RENEWED)
                return [Extend(seat.name, seat.value, int(1000 * LEASE))]
            case _Stage.LOOSE | _Stage.PROVING if self.is_up:
                decisions = self._give_up(seat)
                return decisions + self._claim_anew(seat, now)
        return []

    def _take_from_the_silent(self, seat: _Seat, now: float) -> list[Decision]:
        for name in seat.rivals:
            if name not in seat.alive and name not in self._by_name:
                self._name(seat, name)
                self._due.set(seat, now + ENGINE_PATIENCE)
                return [self._taking(seat, seat.rivals[name][0])]
        return self._refuse(seat)

    def _lost(self) -> list[Decision]:
        decisions: list[Decision] = []
        for seat in self._seats.values():
            seat.due_at = None
            seat.askers.clear()
            self._unname(seat)
            if not seat.is_in:
                decisions.append(Granted(seat.number))
            seat.stage = _Stage.LOOSE
        return decisions

    def _give_up(self, seat: _Seat) -> list[Decision]:
        """Have the entry be free, if it is this seat's."""
        if not seat.name:
            return []
        released = Release(seat.name, seat.value)
        self._unname(seat)
        return [released] if self.is_up else []

    def _heir_of(self, gone: _Seat) -> _Seat | None:
        """Who is to have its entry."""
        heirs = self._heirs.pop(gone.user, {})
        heirs = {n: each for n, each in heirs.items() if n in self._seats and not each.name}
        heir = heirs.pop(min(heirs)) if heirs and gone.name and self.is_up else None
        if heirs:
            self._heirs[gone.user] = heirs
        return heir

    def _hand_over(self, gone: _Seat, heir: _Seat) -> list[Decision]:
        """If the entry is not ours after all, it is claimed as any other."""
        name, before = gone.name, gone.value
        self._unname(gone)
        self._name(heir, name)
        return [self._taking(heir, before)]

    # What is said.

    def _channel_of(self, node: str) -> bytes:
        return self._seals.name("seats", node.encode())

    def _tell(self, node: str, words: str, name: bytes) -> list[Decision]:
        channel = self._channel_of(node)
        plain = json.dumps([self.node, words, name.hex()]).encode()
        return [Publish(name, channel, self._seals.seal(channel, plain), 0)]

    def _read_told(self, name: bytes, value: bytes) -> tuple[str, str] | None:
        match _loads(self._seals.unseal(self._channel, value)):
            case [str(node), str(words), str(about)] if about == name.hex() and is_fleet_name(node):
                return node, words
        return None

    def _read(self, name: bytes, value: bytes | None) -> Holding | None:
        match _loads(self._seals.unseal(name, value) if value is not None else None):
            case [str(node), float() | int() as since] if is_fleet_name(node):
                return Holding(node, float(since))
        return None

    # What is shown.

    def user_of(self, number: int) -> bytes | None:
        """Whose seat it is."""
        seat = self._seats.get(number)
        return None if seat is None else seat.user

    def held(self) -> Iterator[int]:
        """The numbers of those that have a lease."""
        return (seat.number for seat in self._seats.values() if seat.stage is _Stage.HELD)


def _loads(plain: bytes | None) -> object:
    try:
        return None if plain is None else json.loads(plain)
    except (ValueError, RecursionError):
        return None
