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
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from cccamd.net.origins import origin_of

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


class Ban(NamedTuple):
    """Nobody is let in from there for a while."""

    who: str
    """A source or a network."""
    seconds: float
    """How long from now."""


@dataclass(slots=True)
class _Score:
    points: float = 0.0
    at: float = 0.0
    bans: int = 0
    banned_until: float = 0.0

    def now(self, now: float) -> float:
        return max(0.0, self.points - max(0.0, now - self.at) / FORGOTTEN)


class _Kept(Generic[K, V]):
    """A bounded dictionary: the longest unused goes first."""

    def __init__(self) -> None:
        self._found: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> V:
        self._found[key] = value
        self._found.move_to_end(key)
        if len(self._found) > REMEMBERED:
            self._found.popitem(last=False)
        return value

    def items(self) -> list[tuple[K, V]]:
        return list(self._found.items())

    def drop(self, key: K) -> None:
        self._found.pop(key, None)


class Penalties:
    """What is known of failed logins, on all ports together."""

    def __init__(self, rules: PenaltyRules, *, is_near: Callable[[str], bool]) -> None:
        """`is_near`: who is never banned, because the address is one of the operator's own."""
        self.rules = rules
        """May be replaced at any time."""
        self._is_near = is_near
        self._scores: _Kept[str, _Score] = _Kept()
        self._names: _Kept[bytes, _Score] = _Kept()
        """Failures with a name, from wherever: strangers wait for it, and nobody is shut out."""
        self._rows: _Kept[tuple[str, bytes], float] = _Kept()
        self._aside: _Kept[str, float] = _Kept()
        """When one beside the rows was let through last."""
        self._known: _Kept[tuple[str, bytes], int] = _Kept()
        """How often a name may still fail at a source where it logged in before."""
        self._homes: _Kept[str, bool] = _Kept()
        """Sources from which somebody logged in."""

    def wait(self, address: str, user: bytes, now: float) -> float | None:
        """Seconds until the password may be looked at; None: it is not looked at, ever."""
        source = origin_of(address).source
        if self._known.get((source, user)):
            return 0.0
        over = max(
            self._points(self._scores.get(source), now) - FREE,
            self._points(self._names.get(user), now) - FREE * NETWORK_FACTOR,
        )
        if over < 0.0:
            return 0.0
        pause: float = min(FIRST_WAIT * 2.0**over, LONGEST_WAIT)
        turn = max(now, self._rows.get((source, user)) or 0.0) + pause
        if turn - now > LONGEST_WAIT:
            return self._wait_aside(address, source, now)
        self._rows.put((source, user), turn)
        return turn - now

    def _wait_aside(self, address: str, source: str, now: float) -> float | None:
        """The row is too long. In the own network a few a second are looked at all the same: one
        wrong setting behind a shared address must not lock out whoever else lives there."""
        last = self._aside.get(source)
        if not self._is_near(address) or (last is not None and now < last + ASIDE_INTERVAL):
            return None
        self._aside.put(source, now)
        return LONGEST_WAIT

    def failed(self, address: str, user: bytes, now: float) -> Ban | None:
        """Note a login that failed for its name or its password; the ban that it leads to."""
        self._add(self._names.get(user) or self._names.put(user, _Score()), MOST_POINTS, now)
        origin = origin_of(address)
        trust = self._known.get((origin.source, user))
        if trust:
            self._known.put((origin.source, user), trust - 1)
        spared = self._is_near(address) or self._homes.get(origin.source) is not None
        found = self._weigh(origin.source, self.rules.attempts, now, spared=spared)
        if origin.network != origin.source:
            limit = self.rules.attempts * NETWORK_FACTOR
            found = self._weigh(origin.network, limit, now, spared=spared) or found
        return found

    def succeeded(self, address: str, user: bytes) -> None:
        """Note that a name logged in from there."""
        source = origin_of(address).source
        self._known.put((source, user), TRUST)
        self._homes.put(source, True)
        self._rows.drop((source, user))

    def bans(self, now: float) -> list[tuple[str, float, int]]:
        """The bans that go on: of whom, for how many seconds more, the how manieth it is."""
        return [
            (who, score.banned_until - now, score.bans)
            for who, score in self._scores.items()
            if score.banned_until > now
        ]

    def ban(self, who: str, seconds: float, bans: int, now: float) -> None:
        """Go on with a ban of before a restart."""
        seconds = min(seconds, LONGEST_BAN)
        if seconds > 0.0:
            self._scores.put(who, _Score(0.0, now, max(1, bans), now + seconds))

    def banned(self, address: str, now: float) -> float:
        """Seconds for which an address is still banned; 0: it is not."""
        if self._is_near(address):
            return 0.0
        origin = origin_of(address)
        if self._homes.get(origin.source) is not None:
            return 0.0
        found = (self._scores.get(origin.source), self._scores.get(origin.network))
        return max(0.0, *(score.banned_until - now for score in found if score is not None), 0.0)

    @staticmethod
    def _points(score: _Score | None, now: float) -> float:
        return score.now(now) if score is not None else 0.0

    @staticmethod
    def _add(score: _Score, most: float, now: float) -> None:
        score.points, score.at = min(score.now(now) + 1.0, most), now

    def _weigh(self, who: str, limit: int, now: float, *, spared: bool) -> Ban | None:
        score = self._scores.get(who) or self._scores.put(who, _Score())
        self._add(score, max(MOST_POINTS, limit), now)
        if spared or not limit or score.points <= limit - SLACK:
            return None
        seconds = min(self.rules.ban * 2.0**score.bans, LONGEST_BAN)
        score.bans, score.banned_until, score.points = score.bans + 1, now + seconds, 0.0
        return Ban(who, seconds)
