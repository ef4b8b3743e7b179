"""Who holds which account, and what happens when somebody else wants it.

Theory of operation. An account has as many seats as `[[account]] logins` says, one by default.
A login with the right password that finds all of them taken starts a contest, or joins the one
that goes on:

    each holder is asked for a sign of life at once; from then on it is looked for signs
    all holders gave one, a holder ended, or `PATIENCE` is over: the contest is decided
    a holder without a sign is dead, and its seat is the first login's that still wants it
    who finds no seat then is refused, and both addresses are told

A sign of life is any byte that came since; or, if something came within `QUIET`, that the peer's
machine has acknowledged every byte that was sent: not every program answers keepalives at once, or
at all. A machine that is off acknowledges nothing; one that was started anew answers with a reset,
which ends the holder. A login that has given up meanwhile takes no seat, but the dead one's is free
for its next attempt. A verdict counts for a moment, so that nobody can have keepalives sent without
end.

`Contest` and `Seats` decide and keep books: no sockets, no clock, no tasks.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Generic, Protocol, TypeVar

from cccamd.facts import DoubleLogin
from cccamd.watch import followed

QUIET = 120.0
"""Seconds without a byte after which only a byte is a sign of life. Softcams send keepalives once
or twice a minute, so a program that is silent for longer hangs or does nothing; and where something
on the way answers for the machine (a proxy, a tunnel), its acknowledgements would never end."""
PATIENCE: Final = 1.5
"""Seconds for a sign of life; clients wait two for the answer (docs/protocol.md section 13.6)."""
VERDICT_COUNTS: Final = 0.5
"""Seconds that a verdict is not looked for again."""
SHORTEST_LOOK, LONGEST_LOOK = 0.005, 0.25
"""Seconds between two looks for signs of life: when a router comes back, thousands look at once."""
CONTENDERS_LIMIT: Final = 8
"""Logins that may wait for the seats of one account."""
DOUBLE_LOGINS_LIMIT: Final = 500
DOUBLE_LOGINS_KEPT: Final = 600.0
"""Seconds that a refused login is shown after its last attempt."""


class Holder(Hashable, Protocol):
    """Who may sit on a seat."""

    @property
    def ended(self) -> bool:
        """Whether it is over."""

    @property
    def lives(self) -> bool:
        """Whether there was a sign of life since `probe`."""

    def probe(self) -> None:
        """Ask for a sign of life."""


H = TypeVar("H", bound=Holder)


@dataclass(slots=True)
class Contest(Generic[H]):
    """Which holders of one account are dead; begins with `probe` of each."""

    holders: tuple[H, ...]
    began_at: float
    decided_at: float | None = None
    contenders: int = 0
    """How many logins wait for the verdict."""
    _dead: list[H] = field(default_factory=list)

    def look(self, now: float) -> bool:
        """Look for signs of life; whether it is decided."""
        if self.decided_at is not None:
            return True
        silent = [holder for holder in self.holders if not holder.ended and not holder.lives]
        is_over = now >= self.began_at + PATIENCE
        if is_over or not silent or any(holder.ended for holder in self.holders):
            self._dead = silent if is_over else []
            self.decided_at = now
        return self.decided_at is not None

    def counts(self, now: float) -> bool:
        """Whether a login at this moment goes by this contest."""
        if self.decided_at is None:  # nobody may have waited for it
            return now < self.began_at + PATIENCE
        return now < self.decided_at + VERDICT_COUNTS

    def is_dead(self, holder: H) -> bool:
        """Whether one of the holders gave no sign of life, once it is decided."""
        return holder.ended or holder in self._dead

    def next_dead(self) -> H | None:
        """Take a holder whose seat is to be given to somebody else; each comes once."""
        while self._dead:
            holder = self._dead.pop(0)
            if not holder.ended:
                return holder
        return None


class Seats(Generic[H]):
    """The seats of all accounts, by user name."""

    def __init__(self) -> None:
        self._taken: dict[bytes, tuple[H, ...]] = {}
        self._contests: dict[bytes, Contest[H]] = {}

    def __iter__(self) -> Iterator[H]:
        return (holder for holders in self._taken.values() for holder in holders)

    def __len__(self) -> int:
        return sum(len(holders) for holders in self._taken.values())

    def users(self) -> tuple[bytes, ...]:
        """Whose seats are taken."""
        return tuple(self._taken)

    def of(self, user: bytes) -> tuple[H, ...]:
        """Who holds seats of an account, the first to come first; none that has ended."""
        return tuple(holder for holder in self._taken.get(user, ()) if not holder.ended)

    def take(self, user: bytes, holder: H) -> None:
        """Sit down."""
        self._taken[user] = (*self._taken.get(user, ()), holder)

    def leave(self, user: bytes, holder: H) -> None:
        """Stand up; who does not sit there may say so, too."""
        left = tuple(each for each in self._taken.get(user, ()) if each is not holder)
        if left:
            self._taken[user] = left
        else:
            self._taken.pop(user, None)
            self._contests.pop(user, None)

    def is_crowded(self, user: bytes) -> bool:
        """Whether so many logins wait for a seat of this account that no other may."""
        contest = self._contests.get(user)
        return (
            contest is not None
            and contest.decided_at is None
            and contest.contenders >= CONTENDERS_LIMIT
        )

    def contest(self, user: bytes, now: float) -> Contest[H]:
        """Ask all holders of an account for a sign of life, unless that goes on already."""
        contest = self._contests.get(user)
        if contest is None or not contest.counts(now):
            contest = self._contests[user] = Contest(self.of(user), now)
            for holder in contest.holders:
                holder.probe()
        return contest


async def decided(contest: Contest[H]) -> None:
    """Look until it is decided: often at first, because a sign of life mostly comes soon."""
    loop, pause = asyncio.get_running_loop(), SHORTEST_LOOK
    while not contest.look(loop.time()):
        await asyncio.sleep(min(pause, max(0.0, contest.began_at + PATIENCE - loop.time())))
        pause = min(2 * pause, LONGEST_LOOK)


class DoubleLogins:
    """Logins that were refused because somebody else was there: bounded, and forgotten in time."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[str, str], DoubleLogin] = OrderedDict()

    def refused(self, account: str, address: str, holders: Iterable[str], now: float) -> None:
        """A login from `address` was refused for the sake of those at `holders`."""
        key = account, address
        before = self._found.pop(key, None)
        if before is not None and before.last_at < now - DOUBLE_LOGINS_KEPT:
            before = None
        if len(self._found) >= DOUBLE_LOGINS_LIMIT:
            self._found.popitem(last=False)
        self._found[key] = DoubleLogin(
            account=account,
            address=address,
            holders=tuple(dict.fromkeys(holders)),
            first_at=before.first_at if before else now,
            last_at=now,
            times=before.times + 1 if before else 1,
        )

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by so many seconds, and shows `now`."""
        for key, each in self._found.items():
            first, last = (followed(at, step, now) for at in (each.first_at, each.last_at))
            self._found[key] = replace(each, first_at=first, last_at=last)

    def got_in(self, account: str, address: str) -> None:
        """Who was refused is there now."""
        self._found.pop((account, address), None)

    def forget(self, keep: Callable[[str], bool]) -> None:
        """Forget accounts that are gone from the configuration."""
        for key in [key for key in self._found if not keep(key[0])]:
            del self._found[key]

    def lately(self, now: float) -> tuple[DoubleLogin, ...]:
        """Those of the last minutes, the newest last."""
        since = now - DOUBLE_LOGINS_KEPT
        return tuple(each for each in self._found.values() if each.last_at >= since)
