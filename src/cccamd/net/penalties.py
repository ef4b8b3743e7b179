"""A brake on guessing: how long a login waits for the look at its password, and who is banned.

Sans-IO: times are given, on a clock that nobody can set. It judges sources and networks
(`net/origins.py`): an IPv6 /64 is one source.

Theory of operation. Each failed login weighs one *point* for its source and for its network; a
point is forgotten in a minute. A source with a few points has to wait before its passwords
are looked at, twice as long with each further point, up to what clients bear. Right and wrong
passwords wait alike, so the wait tells nothing. Logins of one source with one name wait one
behind the other: whoever tries many at once gains nothing, and when the row is longer than a
client waits, the next one is not looked at at all. With many points the source is *banned* for a
while, each time for twice as long.

Who must not suffer: a source from which a name logged in before does not wait for that name,
until it fails too often with it, and is never banned. Many failures with one name from many
places make strangers wait for it, and shut nobody out. The own
networks of the operator are never banned: a household must not lose its television to one wrong
setting.

What all this comes to may be seen: `of` says it of one address, `of_name` of a name, `standing` of
everybody, in steps.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from cccamd.facts import Door, PenaltyKind
from cccamd.net.origins import is_network, origin_of

FREE: Final = 3.0
"""Points without any consequence: a person may mistype."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 1.5
"""Seconds; softcams wait two for the answer to their login."""
ASIDE_INTERVAL: Final = 0.2
"""Seconds."""
FORGOTTEN: Final = 60.0
"""Seconds after which a point is forgotten."""
SLACK: Final = 0.5
"""Of the points that lead to a ban: some of the first is forgotten before the last one comes."""
MOST_POINTS: Final = 20.0
NETWORK_FACTOR: Final = 4
"""How many times more failures a network may have than one source."""
TRUST: Final = 5
"""Failures with a name after which it is not known any more that it logged in from there."""
LONGEST_BAN: Final = 86_400.0
REMEMBERED: Final = 4096
"""Of each kind that is kept; beyond, the longest unused is forgotten."""
BANS_REMEMBERED: Final = 16_384
"""Sources and networks that are or were banned: those who only failed do not push them out."""
STANDING_SHOWN: Final = 100
USER_LIMIT: Final = 64
"""Characters of a name that are kept to be shown."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyRules:
    """What the operator may set."""

    attempts: int = 10
    """Failed logins of a source, closer together than they are forgotten, until it is banned; 0:
    nobody is ever banned."""
    ban: float = 600.0
    """Seconds of the first ban."""

    def length(self, number: int) -> float:
        """Seconds of the ban of a source that is its n-th, from 1; 0: there is none."""
        if not self.attempts:
            return 0.0
        return float(min(self.ban * 2.0 ** min(number - 1, 64), LONGEST_BAN))


class Ban(NamedTuple):
    """Nobody is let in from there for a while."""

    who: str
    """A source or a network."""
    seconds: float
    """How long from now."""


class Standing(NamedTuple):
    """What somebody bears now. Times are on the clock that was given."""

    who: str
    """A source, a network or a name."""
    kind: PenaltyKind
    doors: tuple[Door, ...]
    """Where the logins failed."""
    user: str
    """The name that was tried last."""
    tries: int
    """Failed logins, as long as they are not forgotten."""
    bans: int
    """How many bans there were, with that of now."""
    last_at: float
    until: float
    wait: float
    """Seconds that the next login waits; 0: it is not let in at all."""


class Standings(NamedTuple):
    """What everybody bears now."""

    banned: int
    slowed: int
    """Sources and names whose logins wait."""
    shown: tuple[Standing, ...]
    """Bans first, of each the latest first; not more than `STANDING_SHOWN`."""


class Name(NamedTuple):
    """A user name, and where it is one: accounts are the same on all ports for clients."""

    space: str
    user: bytes


def _name(door: Door, user: bytes) -> Name:
    return Name("" if door in (Door.CCCAM, Door.NEWCAMD) else door.value, user)


def shown_name(user: bytes) -> str:
    """A name as people are shown it."""
    return user[: 4 * USER_LIMIT].decode("utf-8", "replace")[:USER_LIMIT]


@dataclass(slots=True)
class _Score:
    points: float = 0.0
    at: float = 0.0
    bans: int = 0
    banned_until: float = 0.0
    tries: int = 0
    doors: tuple[Door, ...] = ()
    user: bytes = b""
    is_network: bool = False

    def now(self, now: float) -> float:
        return max(0.0, self.points - max(0.0, now - self.at) / FORGOTTEN)

    def add(self, door: Door, user: bytes, most: float, now: float, times: int) -> None:
        points = self.now(now)
        if not points and self.banned_until <= now:
            self.tries, self.doors = 0, ()
        self.points, self.at, self.user = min(points + times, most), now, user
        self.tries += times
        if door not in self.doors:
            self.doors = (*self.doors, door)


class _Kept(Generic[K, V]):
    """A bounded dictionary: the longest unused goes first."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._found: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> V:
        self._found[key] = value
        self._found.move_to_end(key)
        if len(self._found) > self._limit:
            self._found.popitem(last=False)
        return value

    def items(self) -> Iterator[tuple[K, V]]:
        """The last used ones first; others may be put in meanwhile."""
        for key in reversed(list(self._found)):
            value = self._found.get(key)
            if value is not None:
                yield key, value

    def drop(self, key: K) -> None:
        self._found.pop(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self._found


class PenaltyListener(Protocol):
    """Who is told what happens here, as by the methods of `Penalties`."""

    def failed(self, address: str, user: bytes, door: Door) -> None: ...

    def succeeded(self, address: str, user: bytes, door: Door) -> None: ...

    def banned(self, ban: Standing) -> None: ...

    def forgot(self, names: Collection[str]) -> None: ...


class Penalties:
    """What is known of failed logins, on all ports together."""

    def __init__(self, rules: PenaltyRules, *, is_near: Callable[[str], bool]) -> None:
        """`is_near`: who is never banned, because the address is one of the operator's own."""
        self.rules = rules
        """May be replaced at any time."""
        self.given = 0
        """How many bans there were: another number, and there are others."""
        self.listener: PenaltyListener | None = None
        """Told what happens here, and not what happened elsewhere."""
        self._is_near = is_near
        self._scores: _Kept[str, _Score] = _Kept()
        """Of sources and networks that were never banned."""
        self._banned: _Kept[str, _Score] = _Kept(BANS_REMEMBERED)
        """Of those that were."""
        self._names: _Kept[Name, _Score] = _Kept()
        """Failures with a name, from wherever: strangers wait for it, and nobody is shut out."""
        self._rows: _Kept[tuple[str, Name], float] = _Kept()
        self._aside: _Kept[str, float] = _Kept()
        """When one beside the rows was let through last."""
        self._known: _Kept[tuple[str, Name], int] = _Kept()
        """How often a name may still fail at a source where it logged in before."""
        self._homes: _Kept[str, bool] = _Kept()
        """Sources from which somebody logged in."""

    # Logins.

    def wait(self, address: str, user: bytes, now: float, door: Door = Door.CCCAM) -> float | None:
        """Seconds until the password may be looked at; None: it is not looked at, ever."""
        source, name = origin_of(address).source, _name(door, user)
        if self._known.get((source, name)):
            return 0.0
        over = max(
            self._points(self._score(source), now) - FREE,
            self._points(self._names.get(name), now) - FREE * NETWORK_FACTOR,
        )
        if over < 0.0:
            return 0.0
        turn = max(now, self._rows.get((source, name)) or 0.0) + _pause(over)
        if turn - now > LONGEST_WAIT:
            return self._wait_aside(address, source, now)
        self._rows.put((source, name), turn)
        return turn - now

    def _wait_aside(self, address: str, source: str, now: float) -> float | None:
        """The row is too long. In the own network a few a second are looked at all the same: one
        wrong setting behind a shared address must not lock out whoever else lives there."""
        last = self._aside.get(source)
        if not self._is_near(address) or (last is not None and now < last + ASIDE_INTERVAL):
            return None
        self._aside.put(source, now)
        return LONGEST_WAIT

    def failed(self, address: str, user: bytes, now: float, door: Door = Door.CCCAM) -> Ban | None:
        """Note a login that failed for its name or its password; the ban that it leads to."""
        if self.listener is not None:
            self.listener.failed(address, user, door)
        self._failed_by_name(user, now, door, 1)
        return self._failed_there(address, user, now, door, 1, ())

    def failed_elsewhere(
        self,
        address: str,
        user: bytes,
        now: float,
        door: Door,
        times: int,
        pardoned: Collection[str] = (),
    ) -> Ban | None:
        """Note logins that failed at another node of a fleet; the ban that they lead to.

        `pardoned`: the source or network for which they do not count, as it was forgiven since.
        """
        self._failed_by_name(user, now, door, times)
        if self.banned(address, now):
            return None  # it was given for these
        return self._failed_there(address, user, now, door, times, pardoned)

    def _failed_by_name(self, user: bytes, now: float, door: Door, times: int) -> None:
        name = _name(door, user)
        score = self._names.get(name) or self._names.put(name, _Score())
        score.add(door, user[: 4 * USER_LIMIT], MOST_POINTS, now, times)

    def _failed_there(
        self,
        address: str,
        user: bytes,
        now: float,
        door: Door,
        times: int,
        pardoned: Collection[str],
    ) -> Ban | None:
        name, user = _name(door, user), user[: 4 * USER_LIMIT]
        origin = origin_of(address)
        trust = self._known.get((origin.source, name))
        if trust:
            self._known.put((origin.source, name), max(0, trust - times))
        spared = self._is_near(address) or self._homes.get(origin.source) is not None
        attempts, found = self.rules.attempts, None
        if origin.source not in pardoned:
            score = self._score(origin.source) or self._scores.put(origin.source, _Score())
            score.add(door, user, max(MOST_POINTS, attempts), now, times)
            found = None if spared else self._judge(origin.source, score, attempts, now)
        if origin.network != origin.source and origin.network not in pardoned:
            attempts *= NETWORK_FACTOR
            new = _Score(is_network=True)
            score = self._score(origin.network) or self._scores.put(origin.network, new)
            score.add(door, user, max(MOST_POINTS, attempts), now, times)
            if not spared:
                found = self._judge(origin.network, score, attempts, now) or found
        return found

    def succeeded(self, address: str, user: bytes, door: Door = Door.CCCAM) -> None:
        """Note that a name logged in from there."""
        if self.listener is not None:
            self.listener.succeeded(address, user, door)
        self.succeeded_elsewhere(address, user, door)

    def succeeded_elsewhere(self, address: str, user: bytes, door: Door) -> None:
        """Note that a name logged in from there, at another node of a fleet."""
        source, name = origin_of(address).source, _name(door, user)
        self._known.put((source, name), TRUST)
        self._homes.put(source, True)

    # Bans.

    def bans(self, now: float) -> Generator[None, None, list[Standing]]:
        """The bans that go on, those that were felt last first. Each is a step."""
        found = []
        for who, score in self._banned.items():
            if score.banned_until > now:
                found.append(self._standing(who, score, PenaltyKind.BANNED))
            yield
        return found

    def ban(
        self,
        who: str,
        seconds: float,
        bans: int,
        now: float,
        *,
        ago: float = 0.0,
        tries: int = 0,
        doors: tuple[Door, ...] = (),
        user: str = "",
    ) -> None:
        """Go on with a ban of before a restart, or of another node; `ago`: seconds since it was
        given. A longer one that goes on already counts."""
        until, before = now + min(seconds, LONGEST_BAN), self._banned.get(who)
        if before is not None:
            bans, tries = max(before.bans, bans), max(before.tries, tries)
        if until > max(now, before.banned_until if before is not None else now):
            self.given += 1
            self._scores.drop(who)
            given_at = now - max(0.0, ago)
            score = _Score(0.0, given_at, max(1, bans), until, max(0, tries), doors)
            score.user = user[:USER_LIMIT].encode()
            score.is_network = is_network(who)
            self._banned.put(who, score)

    def forget(self, who: str) -> bool:
        """Forget the failures from an address, or from a network as `Standing.who` names it;
        whether there were any. An address that shares its network's ban is free of that, too."""
        names = names_of(who)
        if self.listener is not None:
            self.listener.forgot(names)
        return self.forget_names(names)

    def forget_names(self, names: Collection[str]) -> bool:
        """The same by the names of sources and networks."""
        found = [name for name in names if self._score(name) is not None]
        for name in found:
            self._scores.drop(name)
            self._banned.drop(name)
        self.given += bool(found)
        return bool(found)

    def banned(self, address: str, now: float) -> float:
        """Seconds for which an address is still banned; 0: it is not."""
        if self._is_near(address):
            return 0.0
        origin = origin_of(address)
        if self._homes.get(origin.source) is not None:
            return 0.0
        found = (self._banned.get(origin.source), self._banned.get(origin.network))
        return max(0.0, *(score.banned_until - now for score in found if score is not None), 0.0)

    # What may be seen of it.

    def of(self, address: str, now: float) -> tuple[Standing, ...]:
        """What somebody at this address bears."""
        origin = origin_of(address)
        found = []
        if self.banned(address, now):
            for who in dict.fromkeys(origin):
                score = self._banned.get(who)
                if score is not None and score.banned_until > now:
                    found.append(self._standing(who, score, PenaltyKind.BANNED))
        slowed = self._score(origin.source)
        if not found and slowed is not None and slowed.now(now) >= FREE:
            found.append(self._standing(origin.source, slowed, PenaltyKind.SLOWED, now))
        return tuple(found)

    def of_name(self, user: bytes, now: float, door: Door = Door.CCCAM) -> Standing | None:
        """What strangers with this name bear."""
        name = _name(door, user)
        score = self._names.get(name)
        if score is None or score.now(now) < FREE * NETWORK_FACTOR:
            return None
        return self._standing(shown_name(user), score, PenaltyKind.NAME_SLOWED, now)

    def standing(self, now: float) -> Generator[None, None, Standings]:
        """What everybody bears. Each is a step."""
        banned = slowed = 0
        shown: list[Standing] = []
        for found in self._each(now):
            if found is not None:
                who, score, kind = found
                banned += kind is PenaltyKind.BANNED
                slowed += kind is not PenaltyKind.BANNED
                if len(shown) < STANDING_SHOWN:
                    shown.append(self._standing(who, score, kind, now))
            yield
        return Standings(banned, slowed, tuple(shown))

    def _each(self, now: float) -> Iterator[tuple[str, _Score, PenaltyKind] | None]:
        """Bans first. None: a step over somebody who bears nothing."""
        for who, score in self._banned.items():
            in_force = score.banned_until > now and not self._is_excused(who, score)
            yield (who, score, PenaltyKind.BANNED) if in_force else None
        for who, score in chain(self._banned.items(), self._scores.items()):
            free = score.is_network or score.banned_until > now or score.now(now) < FREE
            yield None if free else (who, score, PenaltyKind.SLOWED)
        for name, score in self._names.items():
            free = score.now(now) < FREE * NETWORK_FACTOR
            yield None if free else (shown_name(name.user), score, PenaltyKind.NAME_SLOWED)

    def _is_excused(self, who: str, score: _Score) -> bool:
        """Whether a ban means nobody any more: its source is near now, or somebody's home."""
        if score.is_network:
            return False
        return self._is_near(who.partition("/")[0]) or who in self._homes

    @staticmethod
    def _standing(who: str, score: _Score, kind: PenaltyKind, now: float = 0.0) -> Standing:
        until, wait = score.banned_until, 0.0
        if kind is not PenaltyKind.BANNED:
            free = FREE * NETWORK_FACTOR if kind is PenaltyKind.NAME_SLOWED else FREE
            until = score.at + (score.points - free) * FORGOTTEN
            wait = _pause(score.now(now) - free)
        user = shown_name(score.user)
        return Standing(
            who, kind, score.doors, user, score.tries, score.bans, score.at, until, wait
        )

    # Inside.

    def _score(self, who: str) -> _Score | None:
        return self._banned.get(who) or self._scores.get(who)

    @staticmethod
    def _points(score: _Score | None, now: float) -> float:
        return score.now(now) if score is not None else 0.0

    def _judge(self, who: str, score: _Score, limit: int, now: float) -> Ban | None:
        if not limit or score.points <= limit - SLACK:
            return None
        seconds = self.rules.length(score.bans + 1)
        score.bans, score.banned_until, score.points = score.bans + 1, now + seconds, 0.0
        self.given += 1
        self._scores.drop(who)
        self._banned.put(who, score)
        if self.listener is not None:
            self.listener.banned(self._standing(who, score, PenaltyKind.BANNED))
        return Ban(who, seconds)


def names_of(who: str) -> tuple[str, ...]:
    """The source and the network of an address; of one of these itself, it alone."""
    return (who,) if is_network(who) else tuple(dict.fromkeys(origin_of(who)))


def _pause(over: float) -> float:
    """Seconds that a login waits, by the points above those that are free."""
    return float(min(FIRST_WAIT * 2.0 ** max(0.0, over), LONGEST_WAIT))
