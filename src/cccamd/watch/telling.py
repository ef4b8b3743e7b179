"""What is told of a freeze: all that was seen around it, what a judge makes of that, and its story.

`freezes.py` sees when a picture stands still and when it goes on, by a clock that nobody sets.
What is told here has the wall clock's times.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from cccamd.facts import ChannelMargin, EcmResult, Freeze, Margin
from cccamd.values import Outcome
from cccamd.watch.cases import FreezeCase, Judges, SeenAsk, SeenPause, Service
from cccamd.watch.happenings import EcmFinished, Happening, ServerPaused, ServerReloaded
from cccamd.watch.surroundings import Surroundings
from cccamd.watch.watches import Client, Standstill, Watch, live_margin, subject_of

LEAD: Final = 2.0
"""Seconds before the request, from which on everything counts as around a freeze."""
PAUSES_KEPT: Final = 32


class Telling:
    """Remembers what may explain a freeze, and puts it into words."""

    def __init__(
        self,
        judges: Judges,
        viewers: Mapping[Service, Mapping[Client, Watch]],
        *,
        started_at: float,
    ) -> None:
        """`viewers`: who watches each channel now. `started_at` as for `Freezes`."""
        self._judges = judges
        self._viewers = viewers
        self._surroundings = Surroundings()
        self._pauses: deque[tuple[float, SeenPause]] = deque(maxlen=PAUSES_KEPT)
        self._started_at = started_at
        self._reloaded_at: float | None = None
        self.step = 0.0
        """Seconds by which the wall clock was set since the start."""

    def note(self, happening: Happening, now: float) -> None:
        """Take note of what happened, at `now` of the inner clock."""
        self._surroundings.note(happening, now)
        match happening:
            case ServerPaused():
                self._pauses.append((now, SeenPause(happening.at, happening.seconds)))
            case ServerReloaded(sources=True):
                self._reloaded_at = now

    def channel(self, watch: Watch, now: float) -> ChannelMargin:
        """The margins of a channel, and what is to come of it."""
        margin, step = live_margin(watch, now), self.step
        past = [Margin(each.at + step, each.seconds) for each in watch.margins]
        if watch.freeze is not None and margin is not None:
            past.append(Margin(now + step, margin))
        forecast = ""
        if watch.foreseen is not None and watch.freeze is None:
            left = max(0.0, watch.foreseen - now)
            forecast = f"the margin falls: a freeze is due in about {left:.0f} s"
        return ChannelMargin(
            period=watch.crypto.period,
            margin=margin,
            margins=tuple(past),
            forecast=forecast,
            frozen=watch.freeze.number if watch.freeze else 0,
            quiet_at=None if watch.quiet_at is None else watch.quiet_at + step,
            **subject_of(watch),
        )

    def shown(self, watch: Watch, standstill: Standstill, now: float) -> Freeze:
        """The freeze as it is now; judged anew if anything happened since."""
        if standstill.shown is None or standstill.stale:
            standstill.stale = False
            standstill.shown = self._describe(watch, standstill, now, over=False)
        at = standstill.at + self.step
        return replace(standstill.shown, at=at, seconds=max(0.0, now - standstill.at))

    def over(self, watch: Watch, standstill: Standstill, now: float) -> Freeze:
        """The freeze that has ended at `now`, with all that was ever told of it."""
        before = standstill.shown.around if standstill.shown else ()
        freeze = self._describe(watch, standstill, now, over=True)
        return replace(freeze, around=tuple(dict.fromkeys((*before, *freeze.around))))

    def _describe(self, watch: Watch, standstill: Standstill, now: float, *, over: bool) -> Freeze:
        case = self._case(watch, standstill, now, over=over)
        judgement = self._judges.freeze(case)
        return Freeze(
            number=standstill.number,
            at=case.began_at,
            seconds=now - standstill.at,
            over=over,
            from_start=standstill.from_start,
            source=_last_source(case.asks) or next(iter(case.lost), ""),
            verdict=judgement.verdict,
            cause=judgement.text,
            evidence=judgement.evidence,
            change=judgement.change,
            around=self._around(watch, zero=standstill.at, end=now),
            **subject_of(watch),
        )

    def _case(self, watch: Watch, standstill: Standstill, now: float, *, over: bool) -> FreezeCase:
        step, account = self.step, watch.account
        begin = min(watch.asks[0][0] if watch.asks else now, standstill.at) - LEAD
        answers = self._surroundings.answers(
            watch.service, sources=account.sources, begin=begin, end=now
        )
        standstill.lost |= {name: None for name, _, _ in self._surroundings.down(account.sources)}
        self._count_others(watch, standstill)
        return FreezeCase(
            account=account.name,
            service=watch.service,
            period=watch.crypto.period,
            intervals=watch.crypto.intervals,
            began_at=standstill.at + step,
            until=now + step,
            over=over,
            from_start=standstill.from_start,
            asks=tuple(_seen(asked_at + step, late, ecm) for asked_at, late, ecm in watch.asks),
            answers=tuple(answer for _, answer in answers),
            lost=tuple(standstill.lost),
            ways=tuple(way._replace(at=way.at + step) for way in account.ways),
            pauses=tuple(pause for at, pause in self._pauses if begin <= at <= now + 1),
            started_at=self._started_at + step,
            reloaded_at=0.0 if self._reloaded_at is None else self._reloaded_at + step,
            others=standstill.others,
            others_frozen=standstill.others_frozen,
        )

    def _count_others(self, watch: Watch, standstill: Standstill) -> None:
        """How others fare on the same channel; the most that were frozen with it."""
        others = [each for each in self._viewers[watch.service].values() if each is not watch]
        frozen = sum(each.freeze is not None for each in others)
        standstill.others = len(others)
        standstill.others_frozen = max(standstill.others_frozen, frozen)

    def _around(self, watch: Watch, *, zero: float, end: float) -> tuple[str, ...]:
        begin = min(watch.asked_at, zero) - LEAD
        sources = watch.account.sources
        return tuple(
            self._surroundings.lines(
                watch.service, sources=sources, begin=begin, end=end, zero=zero
            )
        )


def _seen(at: float, late: float, ecm: EcmFinished) -> SeenAsk:
    return SeenAsk(at, ecm.seconds, late, ecm.result, ecm.outcome, ecm.source, ecm.tried)


_NOT_ASKED: Final = frozenset({Outcome.NOT_SENT, Outcome.RESTING, Outcome.IGNORED, Outcome.SILENT})


def _last_source(asks: tuple[SeenAsk, ...]) -> str:
    """The last that this account's requests went to."""
    for ask in reversed(asks):
        if ask.source and ask.result is EcmResult.CW:
            return ask.source
        for source, outcome in reversed(ask.tried):
            if outcome not in _NOT_ASKED:
                return source
    return ""
