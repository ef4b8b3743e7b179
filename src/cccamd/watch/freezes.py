"""How much time is left before each key is needed, and what was wrong when none was.

An ECM holds the key of the period that it begins and that of the next. So the CW of an ECM is
needed one crypto period after the ECM was first asked for. The first ECM after a channel
change counts for nothing: until its CW comes, the picture has not begun.
"""

from collections import deque
from dataclasses import replace
from heapq import heappop, heappush
from typing import Final

from cccamd.facts import EcmResult, Freeze, FreezeReport, Margin
from cccamd.ids import Caid, Ident, Sid
from cccamd.watch.happenings import (
    ClientLoggedOut,
    EcmFinished,
    FreezeBegan,
    FreezeEnded,
    FreezeForeseen,
    Happening,
)
from cccamd.watch.surroundings import Surroundings
from cccamd.watch.watches import (
    CryptoPeriods,
    Watch,
    WatchingAccount,
    channel_margin,
    has_gone_on,
    is_silent,
    seconds_to_zero,
    subject_of,
)

FREEZES_KEPT: Final = 200
CHANNELS_LIMIT: Final = 8192
LEAD: Final = 2.0
"""Seconds before the request, from which on everything counts as around a freeze."""


_Key = tuple[str, Caid, Ident, Sid]


class Freezes:
    """Watches all channels of all clients. Fed with happenings, answers with more of them."""

    def __init__(self) -> None:
        self._periods = CryptoPeriods()
        self._surroundings = Surroundings()
        self._watches: dict[_Key, Watch] = {}
        self._accounts: dict[str, WatchingAccount] = {}
        self._due: list[tuple[float, int, Watch]] = []
        self._due_count = 0
        self._past: deque[Freeze] = deque(maxlen=FREEZES_KEPT)

    def observe(self, happening: Happening) -> list[Happening]:
        """Take note of what happened; return what it means for pictures."""
        if isinstance(happening, EcmFinished):
            found = self._finish(happening)
            is_due = self._due and self._due[0][0] <= happening.at
            return found + self._look_for_missing(happening.at) if is_due else found
        self._surroundings.note(happening)
        if isinstance(happening, ClientLoggedOut):
            return self._leave(happening)
        return []

    def advance(self, now: float) -> list[Happening]:
        """Notice which keys are missing by now, and who has gone. Call it about once a second."""
        found = self._look_for_missing(now)
        for watch in [watch for watch in self._watches.values() if is_silent(watch, now)]:
            found += self._drop(watch, watch.heard_at)
        return found

    def report(self, now: float) -> FreezeReport:
        """Everything that is known at a moment."""
        watches = list(self._watches.values())
        open_freezes = [
            replace(watch.freeze, seconds=max(0.0, now - watch.freeze.at))
            for watch in watches
            if watch.freeze
        ]
        return FreezeReport(
            channels=tuple(channel_margin(watch) for watch in watches),
            freezes=tuple(
                sorted((*open_freezes, *self._past), key=lambda freeze: freeze.at, reverse=True)
            ),
        )

    # Requests.

    def _finish(self, ecm: EcmFinished) -> list[Happening]:
        asked_at = ecm.at - ecm.seconds
        watch = self._watches.get((ecm.account, ecm.caid, ecm.ident, ecm.sid))
        if watch is None:
            watch = self._start(ecm, asked_at)
        watch.crypto.learn(ecm.parity, ecm.fingerprint, asked_at)
        watch.account.last, watch.account.asked_at = watch.service, asked_at
        found: list[Happening] = []
        if ecm.fingerprint != watch.fingerprint:
            if asked_at < watch.asked_at:
                return found  # the late answer to an ECM that is over
            if watch.due_at is not None and watch.due_at <= ecm.at:
                found += self._begin(watch, ecm.at)  # it was watched all the time
            watch.turn_to(ecm.fingerprint, asked_at)
        watch.heard_at = max(watch.heard_at, ecm.at)
        return found + self._judge(watch, ecm)

    def _start(self, ecm: EcmFinished, asked_at: float) -> Watch:
        if len(self._watches) >= CHANNELS_LIMIT:
            self._drop(next(iter(self._watches.values())), ecm.at)
        service = ecm.caid, ecm.ident, ecm.sid
        account = self._accounts.get(ecm.account)
        if account is None:
            account = self._accounts[ecm.account] = WatchingAccount(ecm.account, service, asked_at)
        account.services.add(service)
        crypto = self._periods.of(service)
        watch = Watch(account, service, crypto, ecm.fingerprint, asked_at, ecm.at)
        self._watches[ecm.account, *service] = watch
        return watch

    def _judge(self, watch: Watch, ecm: EcmFinished) -> list[Happening]:
        if watch.answered:
            return []
        period = watch.crypto.period
        if ecm.result is not EcmResult.CW:
            watch.refusal = ecm.result
            self._await(watch, period)
            return []
        watch.answered, watch.due_at = True, None
        found: list[Happening] = []
        if period is not None and not watch.is_first:
            found = self._measure(watch, ecm, period)
        return found + self._end(watch, ecm.at) if watch.freeze else found

    def _measure(self, watch: Watch, ecm: EcmFinished, period: float) -> list[Happening]:
        needed_at = watch.asked_at + period
        watch.margins.append(Margin(ecm.at, needed_at - ecm.at))
        if ecm.at > needed_at:
            if watch.freeze is not None:
                return []
            waited = ecm.at - watch.asked_at
            cause = (
                f"the CW came {waited:.1f} s after its ECM was asked for;"
                f" the key changes every {period:.1f} s"
            )
            return self._freeze(watch, ecm.source, cause, at=needed_at, now=ecm.at)
        return self._foresee(watch, ecm.at, period)

    def _await(self, watch: Watch, period: float | None) -> None:
        if period is None or watch.is_first or watch.due_at is not None:
            return
        watch.due_at = watch.asked_at + period
        self._due_count += 1
        heappush(self._due, (watch.due_at, self._due_count, watch))

    def _foresee(self, watch: Watch, now: float, period: float) -> list[Happening]:
        seconds = seconds_to_zero(watch.margins, period)
        is_news = seconds is not None and watch.foreseen is None
        watch.foreseen = None if seconds is None else now + seconds
        if not is_news or seconds is None:
            return []
        margin = watch.margins[-1].seconds
        return [FreezeForeseen(at=now, margin=margin, seconds=seconds, **subject_of(watch))]

    # Freezes.

    def _begin(self, watch: Watch, now: float) -> list[Happening]:
        if watch.freeze is not None or watch.due_at is None:
            return []
        source = self._surroundings.last_source(watch.service, watch.asked_at)
        text = "no card gave the CW in time" if source else "no card was there to be asked"
        cause = f"{text} ({watch.refusal.value})"
        return self._freeze(watch, source, cause, at=watch.due_at, now=now)

    def _freeze(
        self, watch: Watch, source: str, cause: str, *, at: float, now: float
    ) -> list[Happening]:
        watch.due_at = watch.foreseen = None
        watch.freeze = Freeze(
            at=at,
            seconds=now - at,
            over=False,
            source=source,
            cause=cause,
            around=self._around(watch, zero=at, end=now),
            **subject_of(watch),
        )
        return [FreezeBegan(at=at, source=source, cause=cause, **subject_of(watch))]

    def _end(self, watch: Watch, now: float) -> list[Happening]:
        freeze, watch.freeze = watch.freeze, None
        if freeze is None:
            return []
        now = max(now, freeze.at)  # the wall clock may have been set back
        around = dict.fromkeys((*freeze.around, *self._around(watch, zero=freeze.at, end=now)))
        over = replace(freeze, seconds=now - freeze.at, over=True, around=tuple(around))
        self._past.append(over)
        return [
            FreezeEnded(
                at=now,
                began_at=over.at,
                source=over.source,
                cause=over.cause,
                **subject_of(watch),
            )
        ]

    def _around(self, watch: Watch, *, zero: float, end: float) -> tuple[str, ...]:
        begin = watch.asked_at - LEAD
        return tuple(self._surroundings.lines(watch.service, begin=begin, end=end, zero=zero))

    # The end of watching.

    def _look_for_missing(self, now: float) -> list[Happening]:
        found: list[Happening] = []
        while self._due and self._due[0][0] <= now:
            due_at, _, watch = heappop(self._due)
            if watch.due_at == due_at and not has_gone_on(watch):
                found += self._begin(watch, now)
        return found

    def _leave(self, logout: ClientLoggedOut) -> list[Happening]:
        account = self._accounts.get(logout.account)
        services = list(account.services) if account else []
        gone = [self._watches[logout.account, *service] for service in services]
        return [found for watch in gone for found in self._drop(watch, logout.at)]

    def _drop(self, watch: Watch, at: float) -> list[Happening]:
        account = watch.account
        del self._watches[account.name, *watch.service]
        account.services.discard(watch.service)
        if not account.services:
            del self._accounts[account.name]
        watch.due_at = None
        return self._end(watch, at)
