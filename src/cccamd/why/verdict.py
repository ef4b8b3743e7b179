"""Whose fault it was that a picture stood still: verdicts, with what they rest on.

A verdict is about one receiver on one channel. First come the causes that would have made any
source look bad (we stood still ourselves, the broadcast changed its rhythm, the receiver asked
late), then what the sources did. Times in texts are counted from the moment the key was needed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cccamd.facts import EcmResult, ReceiverTrouble, Verdict
from cccamd.values import Outcome
from cccamd.watch import (
    FreezeCase,
    Judgement,
    ReceiverCase,
    SeenAsk,
    SeenWay,
)
from cccamd.wording import ago, count, milliseconds, some_of

GIVEN_UP_AFTER: Final = 3.0
"""Seconds after which receivers begin to give up an ECM."""
SAME_PERIOD: Final = 0.25
"""An interval that differs less than this share from the usual one is no other period."""
PAUSE_SHARE: Final = 0.3
"""Of the time there was for an answer: a pause of ours that took more is to blame."""
JUST_STARTED: Final = 30.0
"""Seconds within which links may still be on their way up."""
JUST_RELOADED: Final = 10.0
SLOW_WAY: Final = 0.5
"""Seconds of round trip or jitter that a picture can feel."""
ASKS_TOLD: Final = 6

_BY_OUTCOME: Final[Mapping[Outcome, Verdict]] = {
    Outcome.ZERO: Verdict.WRONG_CW,
    Outcome.CHECKSUM: Verdict.WRONG_CW,
    Outcome.REPEATED: Verdict.WRONG_CW,
    Outcome.NO_ANSWER: Verdict.SOURCE_SILENT,
    Outcome.SILENT: Verdict.SOURCE_SILENT,
    Outcome.LOST: Verdict.SOURCE_AWAY,
    Outcome.NOT_SENT: Verdict.SOURCE_AWAY,
    Outcome.WITHDRAWN: Verdict.SOURCE_AWAY,
    Outcome.REFUSED: Verdict.SOURCE_REFUSED,
    Outcome.ASLEEP: Verdict.SOURCE_REFUSED,
    Outcome.FAILED: Verdict.OURSELVES,
    Outcome.CANNOT_DECODE: Verdict.NOT_DECODED,
    Outcome.IGNORED: Verdict.NO_CARD,
    Outcome.NO_CARD: Verdict.NO_CARD,
    Outcome.OUT_OF_HOURS: Verdict.NOT_ALLOWED,
    Outcome.EXPIRED: Verdict.NOT_ALLOWED,
}
_WORST_FIRST: Final = (
    Verdict.NOT_ALLOWED,
    Verdict.OURSELVES,
    Verdict.WRONG_CW,
    Verdict.SOURCE_LATE,
    Verdict.SOURCE_SILENT,
    Verdict.SOURCE_AWAY,
    Verdict.SOURCE_REFUSED,
    Verdict.NOT_DECODED,
    Verdict.NO_CARD,
)
"""Of several things that sources did: the one without which there may have been a CW."""

CHANGES: Final[Mapping[Verdict, str]] = {
    Verdict.SOURCE_LATE: "a second source in the same `group` of cccamd.toml stands in when one is"
    " late; `cccamd doctor` measures the way to the source",
    Verdict.SOURCE_SILENT: "ask who runs the source, or restart it when it is yours; a second"
    " source in the same `group` of cccamd.toml stands in",
    Verdict.SOURCE_AWAY: "`cccamd status` says why the link is down, `cccamd doctor` what is wrong"
    " on the way",
    Verdict.SOURCE_REFUSED: "the source is up but had no CW then: ask who runs it",
    Verdict.NOT_DECODED: "no subscription behind it has this channel (any more), or a card waits"
    " for its EMMs: `cccamd explain ACCOUNT --caid ... --sid ...` lists the cards",
    Verdict.NO_CARD: "`cccamd explain ACCOUNT --caid ... --sid ...` says why no card fits",
    Verdict.WRONG_CW: "the source is to be told: its card or its cache is wrong; until then another"
    " source is better",
    Verdict.NETWORK: "look at what is between here and the receiver: its Wi-Fi, cable, switch,"
    " router",
    Verdict.RECEIVER: "look at the receiver: its softcam's log, its reception, its load",
    Verdict.STREAM: "nothing, if it does not last: the next keys come in the new rhythm",
    Verdict.OURSELVES: "look at the load of this machine; the log says when the server paused",
    Verdict.NOT_ALLOWED: "`cccamd explain ACCOUNT` names the line with its hours or its last day",
    Verdict.UNKNOWN: "",
}
COMES_BY_ITSELF: Final = "nothing, if it does not last: it is over when the links are logged in"
"""What to do when links are on their way up."""


def judge_freeze(case: FreezeCase) -> Judgement:
    """Say whose fault it was that a picture stood still, or stands still."""
    failing = failing_asks(case)
    coming = _links_come_up(case, failing)
    found = (
        _paused(case, failing)
        or coming
        or _unheard(case, failing)
        or _other_rhythm(case, failing)
        or _asked_late(case, failing)
        or _sources(case, failing)
    )
    verdict, text = found or (Verdict.UNKNOWN, "no CW came in time, and nothing tells why")
    return Judgement(
        verdict=verdict,
        text=text,
        evidence=tuple(_evidence(case)),
        change=COMES_BY_ITSELF if coming is not None and found is coming else CHANGES[verdict],
    )


def failing_asks(case: FreezeCase) -> list[SeenAsk]:
    """The requests without which it would not have frozen: those after the last good one."""
    failing: list[SeenAsk] = []
    for ask in reversed(case.asks):
        ended_at = ask.asked_at + ask.seconds
        if ask.result is not EcmResult.CW:
            failing.append(ask)
        elif ended_at <= case.began_at:
            break
        elif not failing and (case.over or not case.from_start):
            # The one that ended it: to blame only if nothing else failed.
            previous = _before(case.asks, ask)
            if previous is None or previous.result is EcmResult.CW:
                failing.append(ask)
    return failing[::-1]


def _before(asks: Sequence[SeenAsk], ask: SeenAsk) -> SeenAsk | None:
    position = asks.index(ask)
    return asks[position - 1] if position else None


# What would have made any source look bad.

_Found = tuple[Verdict, str]


def _first_asked(case: FreezeCase, failing: Sequence[SeenAsk]) -> float:
    return failing[0].asked_at if failing else case.began_at - (case.period or 0.0)


def _paused(case: FreezeCase, failing: Sequence[SeenAsk]) -> _Found | None:
    asked_at = _first_asked(case, failing)
    paused = [
        pause
        for pause in case.pauses
        if pause.at >= asked_at and pause.at - pause.seconds <= case.began_at
    ]
    total = sum(pause.seconds for pause in paused)
    time_there_was = max(0.0, case.began_at - asked_at)
    lasted = case.until - case.began_at
    if paused and total >= PAUSE_SHARE * time_there_was and lasted <= 2 * total:
        at = paused[0].at - paused[0].seconds - case.began_at
        return Verdict.OURSELVES, f"this server stood still for {total:.1f} s, from {at:+.1f} s on"
    return None


def _links_come_up(case: FreezeCase, failing: Sequence[SeenAsk]) -> _Found | None:
    """It had been started or its files been read a moment ago."""
    if not failing or not _no_source_yet(failing):
        return None
    asked_at = _first_asked(case, failing)
    since_start = asked_at - case.started_at
    is_new = since_start >= 0 and case.until - case.started_at < JUST_STARTED
    if is_new and case.from_start:
        text = f"this server had been started {ago(since_start)} before: its links were not up yet"
        return Verdict.OURSELVES, text
    since_reload = asked_at - case.reloaded_at
    is_since = case.began_at >= case.reloaded_at  # and not dark already when it was read
    if case.reloaded_at and is_since and 0 <= since_reload < JUST_RELOADED:
        text = f"the configuration was read again {ago(since_reload)} before, and links log in anew"
        return Verdict.OURSELVES, text
    return None


def _no_source_yet(failing: Sequence[SeenAsk]) -> bool:
    """Whether it failed as it does when links are on their way up."""
    ends = {outcome for ask in failing for outcome in _outcomes(ask)}
    return ends <= {Outcome.NO_CARD, Outcome.LOST, Outcome.WITHDRAWN, Outcome.NOT_SENT}


def _unheard(case: FreezeCase, failing: Sequence[SeenAsk]) -> _Found | None:
    """Our answer was in time and did not get through."""
    way = next((way for way in reversed(case.ways) if way.unheard), None)
    refused = any(ask.result is not EcmResult.CW for ask in failing)
    if way is None or refused or way.at < case.began_at - (case.period or 0.0):
        return None
    return (
        Verdict.NETWORK,
        f"the CW was sent in time, and the receiver has acknowledged nothing for {way.unheard:.1f}"
        " s: the way to it is cut, or it is off",
    )


def _other_rhythm(case: FreezeCase, failing: Sequence[SeenAsk]) -> _Found | None:
    """The key was not needed when the old rhythm says, or sooner than it says.

    A receiver may ask late, but never too soon: one longer interval alone is its own doing, as
    far as its lateness explains it.
    """
    if case.period is None or not failing or not case.intervals:
        return None
    ask, last = failing[-1], case.intervals[-1]
    others = [_differs(interval, case.period) for interval in case.intervals[-2:]]
    alone = last > case.period and ask.late and not all(others)
    if not others[-1] or alone or ask.result is not EcmResult.CW:
        return None
    if ask.seconds > max(last, case.period):
        return None  # late in either rhythm
    return (
        Verdict.STREAM,
        f"the key changed after {last:.1f} s, and not after {case.period:.1f} s as before; the CW"
        f" came {ask.seconds:.1f} s after its ECM was asked for",
    )


def _differs(interval: float, period: float) -> bool:
    return abs(interval - period) > SAME_PERIOD * period


def _asked_late(case: FreezeCase, failing: Sequence[SeenAsk]) -> _Found | None:
    ask = failing[-1] if failing else None
    if ask is None or not ask.late or case.period is None or ask.seconds > case.period:
        return None
    if ask.result is not EcmResult.CW and ask.late < ask.seconds:
        return None
    how = f"the receiver asked {ask.late:.1f} s later than its rhythm of {case.period:.1f} s"
    trouble = _way_trouble(case.ways)
    if trouble:
        return Verdict.NETWORK, f"{how}, and the way to it is bad: {trouble}"
    return Verdict.RECEIVER, f"{how}; the answer took {ask.seconds:.1f} s"


def _way_trouble(ways: Sequence[SeenWay]) -> str:
    """What is wrong with the way, in words; empty: nothing."""
    if not ways:
        return ""
    first, last = ways[0], ways[-1]
    parts: list[str] = []
    if last.sent_again > first.sent_again:
        again = count(last.sent_again - first.sent_again, "segment")
        parts.append(f"{again} had to be sent again within {ago(last.at - first.at)}")
    if max(last.round_trip, last.jitter) > SLOW_WAY:
        parts.append(
            f"round trip {milliseconds(last.round_trip)}, jitter {milliseconds(last.jitter)}"
        )
    return ", ".join(parts)


# What sources did.


def _outcomes(ask: SeenAsk) -> tuple[Outcome, ...]:
    """What came of an ask, source by source, or of all of it."""
    return tuple(outcome for _, outcome in ask.tried) or (ask.outcome,)


def _sources(case: FreezeCase, failing: Sequence[SeenAsk]) -> _Found | None:
    if not failing:
        return None
    last = failing[-1]
    if last.result is EcmResult.CW:
        return _late_cw(case, last)
    votes = Counter(filter(None, (_verdict_of(ask) for ask in failing)))
    if not votes:
        return _resting(failing)
    most = max(votes.values())
    verdict = next(each for each in _WORST_FIRST if votes[each] == most)
    if verdict is Verdict.SOURCE_SILENT and (late := _late_answers(case, failing)):
        return Verdict.SOURCE_LATE, f"{late}; a receiver does not wait that long"
    if verdict is Verdict.NO_CARD and case.lost:
        lost = some_of(case.lost)
        return Verdict.SOURCE_AWAY, f"no card was there to be asked: {lost} had been lost"
    return verdict, _text_of(verdict, failing)


def _verdict_of(ask: SeenAsk) -> Verdict | None:
    found = {_BY_OUTCOME[each] for each in _outcomes(ask) if each in _BY_OUTCOME}
    return next((verdict for verdict in _WORST_FIRST if verdict in found), None)


def _late_cw(case: FreezeCase, ask: SeenAsk) -> _Found:
    """The CW came, but late."""
    period = f"; the key changes every {case.period:.1f} s" if case.period else ""
    text = f"the CW came {ask.seconds:.1f} s after its ECM was asked for{period}"
    others = [
        (source, outcome)
        for source, outcome in ask.tried
        if source != ask.source and outcome in _BY_OUTCOME
    ]
    own = max((each.seconds for each in case.answers if each.source == ask.source), default=None)
    if own is not None and own >= ask.seconds / 2:
        return Verdict.SOURCE_LATE, f"{text}: {ask.source} took {own:.1f} s"
    if others:
        source, outcome = others[0]
        return _BY_OUTCOME[outcome], f"{text}: first {source} {outcome.value}"
    if own is not None:
        text += f": {ask.source} took {own:.1f} s of it, the rest went by here"
        return Verdict.OURSELVES, text
    return Verdict.SOURCE_LATE, f"{text}: {ask.source} was late" if ask.source else text


def _late_answers(case: FreezeCase, failing: Sequence[SeenAsk]) -> str:
    """Whoever was given up, and answered all the same, later."""
    given_up = {source for ask in failing for source, end in ask.tried if end is Outcome.NO_ANSWER}
    late = [
        answer
        for answer in case.answers
        if answer.outcome is Outcome.ANSWERED
        and answer.source in given_up
        and answer.seconds >= GIVEN_UP_AFTER
    ]
    if not late:
        return ""
    worst = max(late, key=lambda answer: answer.seconds)
    return f"{worst.source} answered after {worst.seconds:.1f} s"


def _resting(failing: Sequence[SeenAsk]) -> _Found:
    resting = list(dict.fromkeys(source for ask in failing for source, _ in ask.tried))
    names = some_of(resting) or "every card that fits"
    return Verdict.NOT_DECODED, f"{names} had refused this channel before and was left alone"


def _text_of(verdict: Verdict, failing: Sequence[SeenAsk]) -> str:
    """The verdict with names and numbers."""
    if verdict is Verdict.NO_CARD:
        ignored = any(Outcome.IGNORED in _outcomes(ask) for ask in failing)
        return "every card that fits is switched off by CCcam.prio" if ignored else "no card fits"
    if verdict is Verdict.NOT_ALLOWED:
        ends = [end for ask in failing for end in _outcomes(ask)]
        return next(end.value for end in reversed(ends) if _BY_OUTCOME.get(end) is verdict)
    done = Counter(
        (source, outcome)
        for ask in failing
        for source, outcome in ask.tried
        if _BY_OUTCOME.get(outcome) is verdict
    )
    if not done:
        return f"no CW: {failing[-1].outcome.value}"
    parts = [
        f"{source} {outcome.value}" + (f" ({times} times)" if times > 1 else "")
        for (source, outcome), times in done.most_common()
    ]
    return some_of(parts)


# What it rests on.


def _evidence(case: FreezeCase) -> Iterator[str]:
    yield from _rhythm(case)
    asks = case.asks[-ASKS_TOLD:]
    yield from (_describe(ask, case.began_at) for ask in asks)
    for answer in case.answers:
        if answer.outcome is Outcome.ANSWERED and answer.seconds < GIVEN_UP_AFTER:
            continue
        at = answer.at - case.began_at
        yield f"{at:+.1f} s: {answer.source} {answer.outcome.value} ({answer.seconds:.1f} s)"
    for pause in case.pauses:
        at = pause.at - pause.seconds - case.began_at
        yield f"{at:+.1f} s: this server stood still for {pause.seconds:.1f} s"
    for name in case.lost:
        yield f"the link to {name} was lost, and is not there again"
    yield from _ways(case)
    if case.others:
        fared = f"{case.others_frozen} of them frozen too" if case.others_frozen else "none frozen"
        yield f"{count(case.others, 'other account')} on the same channel, {fared}"


def _rhythm(case: FreezeCase) -> Iterator[str]:
    if case.period is None:
        yield "how often the key changes was not known yet"
        return
    last = ", ".join(f"{interval:.1f}" for interval in case.intervals[-4:])
    yield f"the key changes every {case.period:.1f} s (last: {last} s)"


def _describe(ask: SeenAsk, zero: float) -> str:
    how = "CW" if ask.result is EcmResult.CW else ask.result.value
    late = f" {ask.late:.1f} s late" if ask.late else ""
    parts = [f"{source} {outcome.value}" for source, outcome in ask.tried]
    if not parts:
        known = ask.source and f"from {ask.source}"
        parts = [known if ask.result is EcmResult.CW and known else ask.outcome.value]
    told = "; ".join(parts)
    return f"{ask.asked_at - zero:+.1f} s: asked{late}, {how} after {ask.seconds:.2f} s: {told}"


def _ways(case: FreezeCase) -> Iterator[str]:
    if not case.ways:
        yield "the way to the receiver was not measured"
        return
    last = case.ways[-1]
    trouble = _way_trouble(case.ways) or "nothing sent again"
    yield (
        f"the way to the receiver: round trip {milliseconds(last.round_trip)}, jitter"
        f" {milliseconds(last.jitter)}; {trouble}"
    )


# Receivers that behave as if their picture stood still.


def judge_receiver(case: ReceiverCase) -> Judgement | None:
    """Say what is probably wrong with a receiver; None: nothing tells that anything is."""
    match case.trouble:
        case ReceiverTrouble.STOPPED:
            found = _stopped(case)
        case ReceiverTrouble.REPEATS:
            found = _repeats(case)
        case ReceiverTrouble.ONE_PARITY:
            found = _one_parity(case)
    if found is None:
        return None
    verdict, text = found
    zero = case.at
    return Judgement(
        verdict=verdict,
        text=text,
        evidence=(
            f"the key changes every {case.period:.1f} s; nothing else was asked for"
            f" {case.now - case.at:.1f} s"
            if case.trouble is ReceiverTrouble.STOPPED
            else f"the key changes every {case.period:.1f} s",
            *(_describe(ask, zero) for ask in case.asks[-ASKS_TOLD:]),
        ),
        change=CHANGES[verdict],
    )


def _stopped(case: ReceiverCase) -> _Found | None:
    """Turned off, or gone to a free channel, unless something was wrong before."""
    way, last = case.ways[-1] if case.ways else None, case.asks[-1] if case.asks else None
    if way is not None and way.unheard:
        text = f"it has acknowledged nothing for {way.unheard:.1f} s: the way to it is cut"
        return Verdict.NETWORK, text
    if last is None:
        return None
    if last.result is not EcmResult.CW:
        verdict = _verdict_of(last) or Verdict.NOT_DECODED
        if not case.lit and verdict in {Verdict.NOT_DECODED, Verdict.NO_CARD, Verdict.NOT_ALLOWED}:
            return None  # it zapped over a channel that it cannot have
        why = "; ".join(f"{source} {outcome.value}" for source, outcome in last.tried)
        return verdict, f"it gave up after a refusal: {why or last.outcome.value}"
    if wrong := next(((name, end) for name, end in last.tried if end.is_wrong_cw), None):
        return Verdict.WRONG_CW, f"its last CW is doubtful: {wrong[0]} {wrong[1].value}"
    if case.repeats >= 2:
        text = f"it had asked {case.repeats + 1} times for one ECM: the CW did not help it"
        return Verdict.WRONG_CW, _from(text, last)
    if last.seconds >= min(GIVEN_UP_AFTER, case.period):
        text = f"its last answer took {last.seconds:.1f} s, and receivers give up after 3 to 5 s"
        return Verdict.SOURCE_LATE, _from(text, last)
    return None


def _from(text: str, ask: SeenAsk) -> str:
    return f"{text} (from {ask.source})" if ask.source else text


def _repeats(case: ReceiverCase) -> _Found:
    text = f"it asked {case.repeats + 1} times for one ECM, though each time it got the CW"
    if case.others_go_on:
        return Verdict.RECEIVER, f"{text}; others have gone on to newer keys meanwhile"
    last = case.asks[-1]
    text = f"{text}: the CW does not open the picture, or the key does not change any more"
    return Verdict.WRONG_CW, _from(text, last)


def _one_parity(case: ReceiverCase) -> _Found:
    text = f"for {case.now - case.at:.1f} s it has asked for ECMs of one parity only"
    if case.others_go_on:
        return Verdict.RECEIVER, f"{text}, while others ask for both: its filter is stuck"
    text = f"{text}: the broadcast changes its key otherwise than before, or its filter is stuck"
    return Verdict.STREAM, text
