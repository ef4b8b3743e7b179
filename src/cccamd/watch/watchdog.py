"""Receivers that behave as if their picture stood still, though nothing is refused to them.

"It stopped until I zapped": to the server that looks like one of three things. The receiver asks
no more; it asks for one ECM again and again, though that was answered; or it asks for every
other key only. The first is what turning off the TV looks like, too, and zapping to a free
channel: so it is trouble only when something was wrong before, and else just noted
(`Watch.quiet_at`). The judge decides.

Nothing is sent to a receiver because of this: it gets what it asks for, and nothing else.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from cccamd.facts import ReceiverFinding, ReceiverTrouble
from cccamd.watch.cases import Judgement, ReceiverCase, SeenAsk, SeenReceiver, Service
from cccamd.watch.watches import Client, Watch, WatchingClient, subject_of

STOPPED_FOR: Final = 600.0
"""Seconds after which nobody sits before a receiver that has stopped, so to say."""
FOUND_LIMIT: Final = 1024
REPEATS_NEEDED: Final = 2
"""Beyond the first request: three in all."""
ONE_PARITY_NEEDED: Final = 3
"""ECMs of one parity in a row: with two, one between them may just have been missed."""
ONE_PARITY_PERIODS: Final = 1.9
"""Crypto periods that they must span; a little less than two, for the jitter of requests."""

_Judge = Callable[[ReceiverCase], Judgement | None]
_Key = tuple[Client, Service]


@dataclass(frozen=True, slots=True)
class _Found:
    account: WatchingClient
    finding: ReceiverFinding
    """Its times are those of the inner clock."""


class Watchdog:
    """Knows which receivers are in trouble. Told of each request and each silence."""

    def __init__(self, judge: _Judge, attended: set[Client]) -> None:
        """Clients in trouble are added to `attended`."""
        self._judge = judge
        self._attended = attended
        self._stopped: OrderedDict[Client, _Found] = OrderedDict()
        """Whatever it asks for next is a sign of life."""
        self._stuck: OrderedDict[_Key, _Found] = OrderedDict()
        self._suspects: dict[Client, Watch] = {}
        """Who seems to ask for every other key only. Under great load not all requests are told,
        which looks the same: these clients are attended now, and counted anew."""

    def report(self, step: float) -> tuple[ReceiverFinding, ...]:
        """All that are in trouble, with times `step` later than those of the inner clock."""
        found = (*self._stuck.values(), *self._stopped.values())
        return tuple(replace(each.finding, at=each.finding.at + step) for each in found)

    def knows(self, client: Client) -> bool:
        """Whether this client has stopped, or may be stuck: its next request must be told."""
        return client in self._stopped or client in self._suspects

    def asked(self, watch: Watch, now: float) -> None:
        """A request of this watch was answered or refused."""
        watch.quiet_at = None
        if self._stopped:
            self._forget(watch.account.key)
        if watch.repeats >= REPEATS_NEEDED or watch.same_parity >= ONE_PARITY_NEEDED:
            self._look(watch, now)
        elif self._stuck:
            self._stuck.pop((watch.account.key, watch.service), None)
        if self._suspects and watch.is_turned:
            self._clear(watch)

    def silent(self, watch: Watch, now: float, seen: SeenReceiver | None) -> None:
        """Nothing was asked for two periods, as far as was told; `seen` is the connection."""
        if seen is None or seen.heard_at > watch.heard_at:
            return  # it does ask, and was left out of what is told
        watch.quiet_at = watch.heard_at
        case = self._case(watch, ReceiverTrouble.STOPPED, at=watch.heard_at, now=now)
        if seen.way is not None:
            case = replace(case, ways=(*case.ways, seen.way))
        judgement = self._judge(case)
        if judgement is not None:
            client = watch.account.key
            self._attended.add(client)
            self._stopped[client] = _found(watch, case, judgement)
            self._bound(self._stopped)

    def dropped(self, watch: Watch) -> None:
        """Nobody watches this any more; that it has stopped is remembered."""
        self._stuck.pop((watch.account.key, watch.service), None)
        self._clear(watch)

    def left(self, client: Client) -> None:
        """The receiver has logged out, or its connection is lost."""
        self._stopped.pop(client, None)
        self._suspects.pop(client, None)

    def forget_old(self, now: float) -> None:
        """Let those go that have been silent for so long that nobody waits for them."""
        while self._stopped:
            client, oldest = next(iter(self._stopped.items()))
            if now - oldest.finding.at < STOPPED_FOR:
                return
            self._forget(client)

    def _look(self, watch: Watch, now: float) -> None:
        key = watch.account.key, watch.service
        if key in self._stuck:
            return
        for trouble, at in _troubles(watch):
            if trouble is ReceiverTrouble.ONE_PARITY and not self._is_certain(watch):
                continue
            case = self._case(watch, trouble, at=at, now=now)
            judgement = self._judge(case)
            if judgement is not None:
                self._stuck[key] = _found(watch, case, judgement)
                self._bound(self._stuck)
                return

    def _is_certain(self, watch: Watch) -> bool:
        """Whether all requests of this watch were told since the first of this parity."""
        client = watch.account.key
        if self._suspects.get(client) is watch:
            return True
        if client not in self._suspects and len(self._suspects) < FOUND_LIMIT:
            self._suspects[client] = watch
            self._attended.add(client)
            watch.count_anew()
        return False

    def _clear(self, watch: Watch) -> None:
        """It asks for both keys, or for nothing any more."""
        client = watch.account.key
        if self._suspects.get(client) is watch:
            del self._suspects[client]
            if client not in self._stopped and not watch.account.missing:
                self._attended.discard(client)

    def _forget(self, client: Client) -> None:
        known = self._stopped.pop(client, None)
        if known is not None and not known.account.missing and client not in self._suspects:
            self._attended.discard(client)

    def _bound(self, found: "OrderedDict[Client, _Found] | OrderedDict[_Key, _Found]") -> None:
        if len(found) > FOUND_LIMIT:
            found.popitem(last=False)

    @staticmethod
    def _case(watch: Watch, trouble: ReceiverTrouble, *, at: float, now: float) -> ReceiverCase:
        period = watch.crypto.period or 0.0
        return ReceiverCase(
            account=watch.account.name,
            service=watch.service,
            trouble=trouble,
            at=at,
            now=now,
            period=period,
            asks=tuple(
                SeenAsk(at, ecm.seconds, late, ecm.result, ecm.outcome, ecm.source, ecm.tried)
                for at, late, ecm in watch.asks
            ),
            ways=tuple(watch.account.ways),
            repeats=watch.repeats,
            lit=watch.is_lit,
            others_go_on=watch.crypto.turned_at > at + period / 2,
        )


def _troubles(watch: Watch) -> Iterator[tuple[ReceiverTrouble, float]]:
    """What looks like trouble, and since when; nothing, as long as the period is not known."""
    period = watch.crypto.period
    if period is None or not watch.answered:
        return
    last = watch.asks[-1][0]
    if watch.repeats >= REPEATS_NEEDED and last - watch.asked_at > period:
        yield ReceiverTrouble.REPEATS, watch.asked_at
    parity = watch.same_parity >= ONE_PARITY_NEEDED and watch.parity
    if parity and watch.asked_at - watch.parity_at >= ONE_PARITY_PERIODS * period:
        yield ReceiverTrouble.ONE_PARITY, watch.parity_at


def _found(watch: Watch, case: ReceiverCase, judgement: Judgement) -> _Found:
    finding = ReceiverFinding(
        trouble=case.trouble,
        at=case.at,
        verdict=judgement.verdict,
        cause=judgement.text,
        evidence=judgement.evidence,
        change=judgement.change,
        **subject_of(watch),
    )
    return _Found(watch.account, finding)
