"""Fair turns: whatever a peer sends or leaves unread, it costs others no more than a moment.

Theory of operation. A read of a few messages is worked on at once: that is every read of an
honest client. What is longer becomes a backlog, cut into pieces; all connections with a backlog
take turns (`Rounds`), a millisecond in each turn of the event loop for all of them together. A
connection with a backlog is not read: TCP holds its peer back, and what we keep is bounded.

A connection is not read either, and its backlog waits, while it

- has used up what it or its account may ask in a second (`Quota`): until that is regained;
- leaves unread what it was sent (`unread`): until it has read. So does a client whose machine has
  no room for more, however little waits here.

Who goes on like that for long is cut: its peer is told nothing that it would read; sooner, if it
goes on asking as well. What lies unread in its own machine cannot be seen (Linux tells a smaller
window only when half of a buffer is full, and a buffer takes megabytes), so that each may have
some thousand answers before it shows; they are made in its turns, within its quota.

Those who leave have turns, too: thousands do at once when a network between goes down.

Links to upstreams take turns like clients, but among themselves (`FairPlay.links`): the answers
that they bring are not to wait behind a greedy client's backlog, nor behind another link that
floods us. Only that a link is heard to the end: what came before its server closed is worked on.

When those who take turns wait longer than a CW is good for, the server is overloaded (`Rounds`
says so). Who has a place in the round keeps it; what comes in new is shed: its requests are
refused as soon as they are looked at (`Intake.shed`), which costs little: the round is soon short.

`Quota` (`net/quota.py`) knows no clock; `Rounds` and `Intake` use the loop's. At a node of a fleet
what accounts spend is told to the others (`net/spending.py`).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Final, Protocol
from weakref import WeakValueDictionary

from cccamd.net.quota import NO_RATES, Quota, Rates
from cccamd.net.spending import Spending
from cccamd.net.tasks import Turns, Wheel
from cccamd.wire.link import CloseReason

WRITE_BUFFER_LIMIT: Final = 256 * 1024
"""Bytes that any peer may leave unread; an honest one reads twenty bytes at once."""
AT_ONCE: Final = 1024
"""Bytes of one read that are worked on without a turn: half a dozen ECMs."""
PIECE: Final = 512
"""Bytes of a backlog that are worked on between two looks at the clock."""
TURN: Final = 0.001
"""Seconds for backlogs in one turn of the event loop."""
MESSAGES_A_LOOK, BYTES_A_LOOK = 32, 16 * 1024
"""What a connection may send between two looks at its quota."""
LATE: Final = 1.0
"""Seconds that backlogs wait for their turn from which on the server is overloaded."""
LOOK_AGAIN: Final = 0.05
"""Seconds after which a peer that is held back is looked at again."""
ASKING_PART: Final = 0.4
"""Of the time that a peer may take nothing of what it was sent, if it goes on asking."""


LINK_RATES: Final = Rates(20_000.0, float("inf"), float("inf"))
"""Of one upstream, besides the answers that it was asked for: 100,000 cards in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FairLimits:
    """What a reload may change."""

    client: Rates = NO_RATES
    account: Rates = NO_RATES
    """All connections of one account together."""
    unread: int = 16 * 1024
    """Bytes that a peer may leave unread; beyond that it is not read either."""
    unread_timeout: float = 5.0
    """Seconds without taking any of it until it is cut."""
    patience: float = 60.0
    """Seconds that a client may be held back for what it asks without a pause, until it is cut."""
    too_much: CloseReason = CloseReason.ASKS_TOO_MUCH
    """Why, then."""
    hears_out: bool = False
    """Whether what came is worked on although its peer has left."""


LINK_LIMITS: Final = FairLimits(
    client=LINK_RATES,
    unread=WRITE_BUFFER_LIMIT,
    too_much=CloseReason.SAYS_TOO_MUCH,
    hears_out=True,
)
"""Of links. One that does not read what it is asked is cut by its connection."""


class Paced(Protocol):
    """What an `Intake` needs of its connection."""

    heard_messages: int
    """How many messages came."""

    def take(self, data: bytes) -> None:
        """Work on bytes from the peer, without writing answers yet."""

    def flush(self) -> None:
        """Write the answers."""

    def hold(self) -> None:
        """Do not read."""

    def go_on(self) -> None:
        """Read again."""

    def unread(self) -> int:
        """Bytes that were to be sent and could not be: the peer takes no more."""

    def is_full(self) -> bool:
        """Whether the peer's machine has no room for more."""

    def asks_more(self) -> bool:
        """Whether more came from it that was not read yet."""

    def peer_left(self) -> bool:
        """End it if the peer has, and say so: not being read, it does not notice by itself."""

    def close(self, reason: CloseReason, detail: str) -> None:
        """End it."""


class Rounds:
    """Those with a backlog, in turn."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, Intake]] = deque()
        self._is_due = False
        self.overloaded = False
        self.waited = 0.0
        """Seconds that the last one waited for its turn."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, intake: "Intake") -> None:
        """Let it have its turn, after those who wait already."""
        self._waiting.append((self._loop.time(), intake))
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._act)

    def _act(self) -> None:
        self._is_due = False
        began, now, waiting = perf_counter(), self._loop.time(), self._waiting
        share = TURN / max(1, len(waiting))
        try:
            while waiting and perf_counter() - began < TURN:
                since, intake = waiting.popleft()
                self._judge(now - since)
                if intake.work(share):
                    waiting.append((now, intake))
        finally:
            if waiting:
                self._schedule()
            else:
                self._judge(0.0)

    def _judge(self, waited: float) -> None:
        """Overloaded is who lets wait too long, until the wait is half of that."""
        self.waited = waited
        self.overloaded = waited > (LATE / 2 if self.overloaded else LATE)


class FairPlay:
    """What all connections of a server share: turns, limits, accounts, and what was done."""

    def __init__(self, limits: FairLimits = FairLimits()) -> None:
        self.limits = limits
        self.rounds = Rounds()
        self.departures = Turns()
        """Ends that peers brought about: thousands at once if a network between here and there
        goes down, and each takes a twentieth of a millisecond."""
        self.wheel = Wheel()
        """Where their deadlines wait."""
        self.is_closing = False
        """Whether no new request is taken any more: the server stops."""
        self.shed = 0
        """Requests that were refused because of overload."""
        self.held_back = 0
        """How often somebody was not read for a while for having asked too much."""
        self.on_held_back: Callable[[str, float], None] = lambda user, until: None
        """Told who (the user's name) asks more than its limits, and until when it is not read."""
        self.spending: Spending | None = None
        """What is to be told to the other nodes of a fleet; None: this server is alone."""
        self._accounts: WeakValueDictionary[bytes, Quota] = WeakValueDictionary()

    @classmethod
    def links(cls) -> "FairPlay":
        """For the links to upstreams."""
        return cls(LINK_LIMITS)

    def account(self, user: bytes, now: float) -> Quota:
        """What all connections of an account spend from."""
        quota = self._accounts.get(user)
        if quota is None:
            quota = self._accounts[user] = Quota(self.limits.account, now)
        return quota

    def spent_elsewhere(self, user: bytes, spent: Rates, now: float) -> None:
        """Deduct what an account has spent at another node of the fleet."""
        if self.spending is not None:
            quota = self.account(user, now)
            quota.deduct(spent, self.limits.account, now)
            self.spending.keep(user, quota, now)

    def asked(self) -> Iterator[tuple[bytes, int]]:
        """How many messages each account has sent whose connections were looked at."""
        return ((user, quota.asked) for user, quota in self._accounts.items())


class Intake:
    """What comes from one peer: at once, in turn, or later."""

    __slots__ = (
        "_account",
        "_at",
        "_client",
        "_connection",
        "_ecms",
        "_ended",
        "_fair",
        "_is_held",
        "_least_unread",
        "_messages",
        "_over_since",
        "_rest",
        "_sheds",
        "_timer",
        "_unread_since",
        "_user",
        "answers",
        "ecms",
        "look_at",
        "size",
        "waits",
    )

    def __init__(self, fair: FairPlay, connection: Paced) -> None:
        self.waits = False
        """Whether what comes has to wait behind what came before."""
        self.size = 0
        """Bytes that came since the last look."""
        self.ecms = 0
        """ECMs that came; counted by who understands them."""
        self.answers = 0
        """Messages since the last look that were asked for; counted by who asked, they are free."""
        self.look_at = MESSAGES_A_LOOK
        """The number of messages at which to look next."""
        self._messages = self._ecms = 0
        self._fair = fair
        self._connection = connection
        self._client: Quota | None = None
        """Its buckets are full until it is looked at, which a client that asks little never is."""
        self._account: Quota | None = None
        self._user = b""
        self._rest = b""
        self._at = 0
        self._is_held = self._sheds = self._ended = False
        self._over_since: float | None = None
        self._unread_since: float | None = None
        self._least_unread = 0
        self._timer: asyncio.TimerHandle | None = None

    def shed(self) -> bool:
        """Whether a request that came is to be refused, and counted: there is no time for it."""
        if self._sheds:
            self._fair.shed += 1
        return self._sheds or self._fair.is_closing

    def departs(self, act: Callable[..., object], *words: object) -> None:
        """Call `act`, which ends the connection, when those who left before were worked on."""
        self._fair.departures.add(act, *words)

    def belongs_to(self, user: bytes) -> None:
        """From now on it is a connection of this account."""
        self._user = user

    def queue(self, data: bytes) -> None:
        """Keep what came until its turn."""
        if self._rest:
            self._rest = self._rest[self._at :] + data
            self._at = 0
            return
        self._rest, self._at = data, 0
        self._sheds = self._fair.rounds.overloaded
        self.waits = True
        self._connection.hold()
        if not self._is_held:
            self._fair.rounds.add(self)

    def work(self, seconds: float) -> bool:
        """Have a turn. Return whether there is more to do, and nothing in its way."""
        connection = self._connection
        began = perf_counter()
        hears_out = self._fair.limits.hears_out
        if self._rest and not hears_out and connection.peer_left():
            return False
        while self._rest:
            at = self._at
            piece = self._rest[at : at + PIECE]
            self._at = at + PIECE
            if self._at >= len(self._rest):
                self._rest = b""
            connection.take(piece)
            self.size += len(piece)
            if connection.heard_messages >= self.look_at or self.size >= BYTES_A_LOOK:
                self.look()
                if self._is_held:
                    break
            if perf_counter() - began >= seconds:
                break
        connection.flush()
        if self._rest:
            return not self._is_held
        if not self._is_held:
            self._resume()
        return False

    def look(self) -> None:
        """See whether it may go on as it does."""
        messages = self._connection.heard_messages
        uncalled = messages - self._messages - self.answers
        spent = Rates(max(0, uncalled), self.ecms - self._ecms, self.size)
        self._messages, self._ecms, self.size, self.answers = messages, self.ecms, 0, 0
        self.look_at = messages + MESSAGES_A_LOOK
        now, limits = asyncio.get_running_loop().time(), self._fair.limits
        client, account = self._quotas(now)
        wait = client.spend(spent, limits.client, now)
        if account is not None:
            wait = max(wait, account.spend(spent, limits.account, now))
            if self._fair.spending is not None:
                self._fair.spending.note(self._user, spent)
        if wait:
            self._asks_too_much(now, wait)
        elif client.is_calm and (account is None or account.is_calm):
            self._over_since = None
        if self._takes_none(self._connection.unread(), limits.unread):
            wait = max(wait, LOOK_AGAIN)
        if wait:
            self._hold(wait)

    def _quotas(self, now: float) -> tuple[Quota, Quota | None]:
        """What it spends from: its own, and its account's."""
        if self._client is None:
            self._client = Quota(self._fair.limits.client, now)
        if self._account is None and self._user:
            self._account = self._fair.account(self._user, now)
        return self._client, self._account

    def _takes_none(self, unread: int, bearable: int) -> bool:
        """Whether so much unread is too much: of a client any, once its machine is full.

        A link may send a long list before it reads: not to read that would stop both for good.
        """
        if not unread or unread > bearable:
            return unread > 0
        return not self._fair.limits.hears_out and self._connection.is_full()

    def drop(self) -> None:
        """It is over: forget what has not been worked on, nobody waits for it any more."""
        self._ended = True
        self._rest = b""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _asks_too_much(self, now: float, wait: float) -> None:
        fair = self._fair
        fair.held_back += 1
        if self._over_since is None:
            self._over_since = now
        fair.on_held_back(self._user.decode("utf-8", "replace"), now + wait)
        if now - self._over_since > fair.limits.patience:
            lasted = f"for {now - self._over_since:.0f} s"
            self._connection.close(fair.limits.too_much, lasted)

    def _hold(self, wait: float) -> None:
        if self._timer is not None or self._ended:
            return
        self._is_held = self.waits = True
        self._connection.hold()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + wait, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        if not (self._rest and self._fair.limits.hears_out) and self._connection.peer_left():
            return
        if self._still_unread():
            self._is_held = False
            self._hold(LOOK_AGAIN)
            return
        self._is_held = False
        if self._rest:
            self._fair.rounds.add(self)
        else:
            self._resume()

    def _still_unread(self) -> bool:
        """Whether the peer has yet to read; one that takes nothing for too long is cut."""
        unread, limits = self._connection.unread(), self._fair.limits
        if not self._takes_none(unread, limits.unread // 2):
            self._unread_since = None
            return False
        now = asyncio.get_running_loop().time()
        if self._unread_since is None or unread < self._least_unread:
            self._unread_since, self._least_unread = now, unread
            return True
        patience = limits.unread_timeout
        if self._rest or self._connection.asks_more():
            patience *= ASKING_PART
        if now - self._unread_since >= patience:
            detail = f"{unread:,} bytes, none of it for {patience:g} s"
            self._connection.close(CloseReason.NOT_READING, detail)
        return True

    def _resume(self) -> None:
        if self._ended:
            return
        self.waits = self._sheds = False
        self._connection.go_on()
