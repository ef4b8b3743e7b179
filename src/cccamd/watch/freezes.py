"""How much time is left before each key is needed, and what was wrong when none was.

An ECM holds the key of the period that it begins and that of the next. So the CW of an ECM is
needed one crypto period after the ECM was first asked for. The first ECM after a channel
change has no such time: until its CW comes, the picture has not begun.

Theory of operation. A *watch* is one account on one channel. It is

    first       the first ECM was asked for and is not answered yet
    dark        another ECM was asked for and still there never was a CW: frozen from the start
    lit         there was a CW. From now on each ECM's CW has a time when it is needed
    missing     an ECM was refused; that time is to come
    frozen      it has come, or our answer does not get through to the receiver
    quiet       the receiver asks no more, longer than it should; the watchdog looks at it
    gone        the account logged out, zapped away, or was quiet for too long: that is the end
                of a freeze too, dated back to when it was heard of last

A freeze that goes on is in every report until it is over, whatever its age. What is due is in
two queues by time, so that `advance` costs nothing for those of whom nothing is due.

Happenings carry the wall clock's time. Inside there is a clock that nobody sets: `step` tells by
how much the wall clock was set, and all times that are told follow it.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from cccamd.facts import ChannelMargin, EcmResult, Freeze, FreezeReport, Margin, ReceiverFinding
from cccamd.ids import Caid, Ident, Sid
from cccamd.watch.cases import (
    Judges,
    SeenReceiver,
    SeenWay,
    Service,
)
from cccamd.watch.happenings import (
    ClientLoggedOut,
    EcmFinished,
    FreezeBegan,
    FreezeEnded,
    FreezeForeseen,
    Happening,
    ServiceReleased,
)
from cccamd.watch.telling import Telling
from cccamd.watch.watchdog import Watchdog
from cccamd.watch.watches import (
    DARK_AFTER,
    Client,
    CryptoPeriods,
    Standstill,
    Watch,
    WatchingClient,
    has_gone_on,
    seconds_to_zero,
    subject_of,
)

_CW: Final = EcmResult.CW
FREEZES_KEPT: Final = 200
CHANNELS_LIMIT: Final = 16384
"""Room for ten thousand receivers, some of which have two tuners in use."""
CHANNELS_OF_ONE: Final = 512
"""Of one client, which may be a server with receivers of its own: each takes some kilobytes, and
whoever asks for everything there is neither fills the memory nor pushes others out."""
STALE_WAKES: Final = 1024
"""Looks at what is watched no more, or was put off: they are thrown away when they are more."""
AGAIN: Final = 300.0
"""Seconds within which an account that left a dark channel comes back to a dark one."""
DARK_KEPT: Final = 1024
IN_FLIGHT: Final = 15.0
"""Seconds that a request without an answer keeps a watch alive: longer than any deadline."""
WAY_TOLERANCE: Final = 0.3
"""Seconds: how old what is not acknowledged is, is not known more exactly."""
PERIOD_KNOWN_BY: Final = 15.0
"""Seconds after which to look again whether a crypto period has become known."""

_Key = tuple[str, int, Caid, Ident, Sid]
_DarkKey = tuple[str, Caid, Ident, Sid]


def _nobody(client: Client) -> SeenReceiver | None:
    """There is no way to look at receivers."""
    return None


class Freezes:
    """Watches all channels of all clients. Fed with happenings, answers with more of them."""

    def __init__(
        self,
        judges: Judges,
        *,
        look: Callable[[Client], SeenReceiver | None] = _nobody,
        started_at: float = 0.0,
    ) -> None:
        """`look` gives a client's connection as it is now; None: it has none.

        `started_at` is when the server was started, seconds since the epoch.
        """
        self._periods = CryptoPeriods()
        self._watches: OrderedDict[_Key, Watch] = OrderedDict()
        self._clients: dict[Client, WatchingClient] = {}
        self._viewers: dict[Service, dict[Client, Watch]] = {}
        self._telling = Telling(judges, self._viewers, started_at=started_at)
        self._due: list[tuple[float, int, Watch]] = []
        self._wakes: list[tuple[float, int, Watch]] = []
        self._count = 0
        self._past: deque[Freeze] = deque(maxlen=FREEZES_KEPT)
        self._dark: OrderedDict[_DarkKey, float] = OrderedDict()
        self._number = 0
        self.attended: set[Client] = set()
        """Clients in trouble: all that they ask is to be told, whatever is left out otherwise."""
        self._look = look
        self._dog = Watchdog(judges.receiver, self.attended)

    def step(self, seconds: float) -> None:
        """The wall clock was set by so many seconds: what goes on is counted on from there."""
        self._telling.step += seconds

    def number_from(self, number: int) -> None:
        """The next freeze gets this number, at least."""
        self._number = max(self._number, number - 1)

    def observe(self, happening: Happening) -> list[Happening]:
        """Take note of what happened; return what it means for pictures."""
        now = happening.at - self._telling.step
        if isinstance(happening, EcmFinished):
            found = self._finish(happening, now)
            is_due = self._due and self._due[0][0] <= now
            return found + self._look_for_missing(now) if is_due else found
        self._telling.note(happening, now)
        if isinstance(happening, ClientLoggedOut | ServiceReleased):
            return self._leave((happening.account, happening.client), now)
        return []

    def note_way(self, client: Client, way: SeenWay) -> list[Happening]:
        """Take note of how the way to a receiver is."""
        known = self._clients.get(client)
        if known is None:
            return []
        now = way.at - self._telling.step
        known.ways.append(way._replace(at=now))
        watches = list(known.services.values())
        found = [each for watch in watches for each in self._look_at_way(watch, way, now)]
        return found

    def advance(self, now: float) -> list[Happening]:
        """Notice which keys are missing by now, and who has gone. Call it about once a second."""
        return [happening for found in self.advancing(now) for happening in found]

    def advancing(self, now: float) -> Iterator[list[Happening]]:
        """The same in small steps: what comes of one watch after the other."""
        now -= self._telling.step
        yield from self._missing(now)
        while self._wakes and self._wakes[0][0] <= now:
            at, _, watch = heappop(self._wakes)
            # Those who have left are a step each, too: there may be thousands of them.
            yield self._look_after(watch, now) if watch.wake_at == at else []
        self._dog.forget_old(now)

    def clients_of(self, account: str) -> list[Client]:
        """The clients of an account that is in trouble."""
        return [client for client in self.attended if client[0] == account]

    # What is known at a moment.

    def report(self, now: float) -> FreezeReport:
        """Everything that is known at a moment."""
        steps = self.reporting(now)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                report: FreezeReport = done.value
                return report

    def reporting(self, now: float) -> Generator[None, None, FreezeReport]:
        """The same, a channel a step."""
        steady = now - self._telling.step
        channels: list[ChannelMargin] = []
        for watch in list(self._watches.values()):
            channels.append(self._telling.channel(watch, steady))
            yield
        going_on = yield from self.opening(now)
        newest_first = sorted(going_on, key=lambda freeze: freeze.at, reverse=True)
        return FreezeReport(
            channels=tuple(channels),
            freezes=(*newest_first, *reversed(self._past)),
            receivers=self.receivers(),
        )

    def opening(self, now: float) -> Generator[None, None, tuple[Freeze, ...]]:
        """The freezes that go on, with the verdict so far: in an outage those of all receivers, so
        each is a step."""
        found: list[Freeze] = []
        for watch, freeze in self._frozen():
            if watch.freeze is freeze:  # else it is over by now
                found.append(self._telling.shown(watch, freeze, now - self._telling.step))
            yield
        return tuple(found)

    def _frozen(self) -> list[tuple[Watch, Standstill]]:
        known = (self._clients[client] for client in self.attended if client in self._clients)
        watches = (watch for client in known for watch in client.services.values())
        return [(watch, watch.freeze) for watch in watches if watch.freeze is not None]

    def receivers(self) -> tuple[ReceiverFinding, ...]:
        """Receivers in trouble now, though their picture is not known to stand still."""
        return self._dog.report(self._telling.step)

    def find(self, number: int, now: float) -> Freeze | None:
        """The freeze of this number; None: it is not remembered here."""
        known = next((freeze for freeze in self._past if freeze.number == number), None)
        if known is not None:
            return known
        steady = now - self._telling.step
        shown = (self._telling.shown(watch, freeze, steady) for watch, freeze in self._frozen())
        return next((each for each in shown if each.number == number), None)

    # Requests.

    def _finish(self, ecm: EcmFinished, now: float) -> list[Happening]:
        asked_at = now - ecm.seconds
        service = ecm.caid, ecm.ident, ecm.sid
        watch = self._watches.get((ecm.account, ecm.client, *service))
        found: list[Happening] = []
        if watch is None:
            client = self._clients.get((ecm.account, ecm.client))
            if client is not None and len(client.services) >= CHANNELS_OF_ONE:
                found = self._drop(next(iter(client.services.values())), now)
            elif len(self._watches) >= CHANNELS_LIMIT:
                found = self._drop(next(iter(self._watches.values())), now)
            watch = self._start(ecm, asked_at, now)
        watch.crypto.learn(ecm.parity, ecm.fingerprint, asked_at)
        account = watch.account
        if account.last != service:
            self._turn_away(account, asked_at)
        account.last, account.asked_at = service, asked_at
        watch.left_at = None
        if ecm.fingerprint != watch.fingerprint:
            if asked_at < watch.asked_at:
                return found  # the late answer to an ECM that is over
            if watch.due_at is not None and watch.due_at <= now:
                found += self._begin(watch, now)  # it was watched all the time
            watch.turn_to(ecm.fingerprint, ecm.parity, asked_at)
        elif watch.answered:
            watch.repeats += 1
        watch.heard_at = max(watch.heard_at, now)
        watch.asks.append((asked_at, watch.late, ecm))
        if ecm.tried or ecm.source:
            for source in (*(name for name, _ in ecm.tried), ecm.source):
                if source:
                    account.went_to(source)
        found += self._judge(watch, ecm, now)
        self._dog.asked(watch, now)
        return found

    def _start(self, ecm: EcmFinished, asked_at: float, now: float) -> Watch:
        service = ecm.caid, ecm.ident, ecm.sid
        client = ecm.account, ecm.client
        account = self._clients.get(client)
        if account is None:
            account = self._clients[client] = WatchingClient(client, service, asked_at)
        crypto = self._periods.of(service)
        watch = Watch(
            account, service, crypto, ecm.fingerprint, ecm.parity, asked_at, asked_at, now
        )
        watch.parity_at, watch.is_whole = asked_at, ecm.weight > 0
        watch.was_dark = now - self._dark.pop((ecm.account, *service), -AGAIN) < AGAIN
        account.services[service] = self._watches[*client, *service] = watch
        self._viewers.setdefault(service, {})[client] = watch
        self._wake(watch, watch.next_look(), now)
        return watch

    def _turn_away(self, account: WatchingClient, at: float) -> None:
        """It asks for something else now; unless it watches both, that is the end."""
        left = account.services.get(account.last)
        if left is not None:
            left.left_at = at
            self._wake(left, left.gone_at(), at)

    def _judge(self, watch: Watch, ecm: EcmFinished, now: float) -> list[Happening]:
        if watch.answered:
            return []
        if ecm.result is not _CW:
            return self._refuse(watch, now)
        period = watch.crypto.period
        owed_at = watch.due_at
        watch.answered, watch.due_at, watch.answered_at = True, None, now
        found: list[Happening] = []
        if period is not None and not watch.is_first:
            found = self._measure(watch, now, period, owed_at)
        watch.is_lit = True
        self._found_again(watch)
        return found + self._end(watch, now) if watch.freeze else found

    def _refuse(self, watch: Watch, now: float) -> list[Happening]:
        if watch.freeze is not None:
            watch.freeze.stale = True
        elif watch.is_lit:
            self._await(watch)
        else:
            self._miss(watch)
            is_zapping = watch.is_first or now - watch.began_at < _patience(watch)
            if watch.was_dark or not is_zapping:
                return self._freeze(watch, at=watch.began_at, now=now, from_start=True)
        return []

    def _measure(
        self, watch: Watch, now: float, period: float, owed_at: float | None
    ) -> list[Happening]:
        """`owed_at`: when a CW was needed that the one before should have brought."""
        needed_at = watch.asked_at + period - watch.late if owed_at is None else owed_at
        watch.margins.append(Margin(now, needed_at - now))
        if now <= needed_at:
            return self._foresee(watch, now, period)
        if watch.freeze is not None:
            return []
        return self._freeze(watch, at=needed_at, now=now)

    def _await(self, watch: Watch) -> None:
        if watch.due_at is not None:
            return
        self._miss(watch)
        watch.due_at = watch.needed_at
        if watch.due_at is not None:
            self._count += 1
            heappush(self._due, (watch.due_at, self._count, watch))

    def _foresee(self, watch: Watch, now: float, period: float) -> list[Happening]:
        seconds = seconds_to_zero(watch.margins, period)
        is_news = seconds is not None and watch.foreseen is None
        watch.foreseen = None if seconds is None else now + seconds
        if not is_news or seconds is None:
            return []
        margin = watch.margins[-1].seconds
        at = now + self._telling.step
        return [FreezeForeseen(at=at, margin=margin, seconds=seconds, **subject_of(watch))]

    def _miss(self, watch: Watch) -> None:
        watch.account.missing.add(watch.service)
        self.attended.add(watch.account.key)

    def _found_again(self, watch: Watch) -> None:
        account = watch.account
        if account.missing:
            account.missing.discard(watch.service)
            if not account.missing and not self._dog.knows(account.key):
                self.attended.discard(account.key)

    # Freezes.

    def _begin(self, watch: Watch, now: float) -> list[Happening]:
        if watch.freeze is not None or watch.due_at is None:
            return []
        return self._freeze(watch, at=watch.due_at, now=now)

    def _freeze(
        self,
        watch: Watch,
        *,
        at: float,
        now: float,
        from_start: bool = False,
        by_way: bool = False,
    ) -> list[Happening]:
        watch.due_at = watch.foreseen = None
        self._miss(watch)
        self._number += 1
        from_start = from_start and watch.is_whole
        watch.freeze = Standstill(self._number, at, from_start, by_way)
        freeze = self._telling.shown(watch, watch.freeze, now)
        return [FreezeBegan(at=freeze.at, freeze=freeze)]

    def _end(self, watch: Watch, now: float) -> list[Happening]:
        standstill, watch.freeze = watch.freeze, None
        if standstill is None:
            return []
        self._found_again(watch)
        now = max(now, standstill.at)
        freeze = self._telling.over(watch, standstill, now)
        self._past.append(freeze)
        return [FreezeEnded(at=freeze.at + freeze.seconds, freeze=freeze)]

    # The way to the receiver.

    def _look_at_way(self, watch: Watch, way: SeenWay, now: float) -> list[Happening]:
        """Nobody hears of our answer: its key is not there, though we have sent it in time."""
        needed_at, freeze = watch.needed_at, watch.freeze
        if freeze is not None:
            freeze.stale = True
            return self._end(watch, now) if freeze.by_way and not way.unheard else []
        if not way.unheard or not watch.answered or needed_at is None or needed_at > now:
            return []
        if watch.answered_at <= now - way.unheard - WAY_TOLERANCE:
            return []  # it was acknowledged
        return self._freeze(watch, at=needed_at, now=now, by_way=True)

    # The end of watching.

    def _look_for_missing(self, now: float) -> list[Happening]:
        return [happening for found in self._missing(now) for happening in found]

    def _missing(self, now: float) -> Iterator[list[Happening]]:
        while self._due and self._due[0][0] <= now:
            due_at, _, watch = heappop(self._due)
            is_missing = watch.due_at == due_at and not has_gone_on(watch)
            yield self._begin(watch, now) if is_missing else []

    def _wake(self, watch: Watch, at: float, now: float) -> None:
        if watch.crypto.period is None:
            at = min(at, now + PERIOD_KNOWN_BY)
        watch.wake_at = at
        self._count += 1
        heappush(self._wakes, (at, self._count, watch))
        if len(self._wakes) > 2 * len(self._watches) + STALE_WAKES:
            self._wakes = [each for each in self._wakes if each[2].wake_at == each[0]]
            heapify(self._wakes)

    def _look_after(self, watch: Watch, now: float) -> list[Happening]:
        gone_at, quiet_due_at = watch.gone_at(), watch.quiet_due_at()
        if gone_at <= now < gone_at + IN_FLIGHT and self._is_asking(watch):
            gone_at = gone_at + IN_FLIGHT
        if gone_at <= now:
            end = watch.heard_at if watch.left_at is None else max(watch.left_at, watch.heard_at)
            return self._drop(watch, end)
        if quiet_due_at is not None and quiet_due_at <= now:
            self._dog.silent(watch, now, self._seen(watch.account.key))
            quiet_due_at = None
        self._wake(watch, gone_at if quiet_due_at is None else min(gone_at, quiet_due_at), now)
        return []

    def _is_asking(self, watch: Watch) -> bool:
        """Whether it has asked again, as far as can be seen, and has no answer yet."""
        seen = self._seen(watch.account.key) if watch.left_at is None else None
        return seen is not None and seen.heard_at > watch.heard_at

    def _seen(self, client: Client) -> SeenReceiver | None:
        """The connection of a client, with the times of the inner clock."""
        seen = self._look(client)
        if seen is None:
            return None
        way = seen.way and seen.way._replace(at=seen.way.at - self._telling.step)
        return SeenReceiver(seen.heard_at - self._telling.step, way)

    def _leave(self, client: Client, now: float) -> list[Happening]:
        self._dog.left(client)
        account = self._clients.get(client)
        gone = list(account.services.values()) if account else []
        found = [each for watch in gone for each in self._drop(watch, now)]
        self.attended.discard(client)
        return found

    def _drop(self, watch: Watch, at: float) -> list[Happening]:
        account, service = watch.account, watch.service
        if watch.freeze is not None:
            self._dark[account.name, *service] = at
            if len(self._dark) > DARK_KEPT:
                self._dark.popitem(last=False)
        watch.due_at, watch.wake_at = None, -1.0
        found = self._end(watch, at)
        self._found_again(watch)
        self._dog.dropped(watch)
        del self._watches[*account.key, *service], account.services[service]
        if not account.services:
            del self._clients[account.key]
        viewers = self._viewers[service]
        del viewers[account.key]
        if not viewers:
            del self._viewers[service]
        return found


def _patience(watch: Watch) -> float:
    period = watch.crypto.period
    return DARK_AFTER if period is None else min(DARK_AFTER, period)
