"""The last answers of each account and source, and how often each source was asked for what.

Memory is bounded: who was asked longest ago is forgotten.
"""

from collections import OrderedDict, deque
from collections.abc import Generator, Mapping
from typing import Final

from cccamd.facts import AnswerReport, AnswerTime, ServiceAnswers
from cccamd.ids import Caid, Ident, Sid
from cccamd.values import Outcome
from cccamd.watch.happenings import ClockSet, EcmFinished, Happening, SourceAnswered

LAST: Final = 10
"""Answers that are remembered of each."""
SUBJECTS_LIMIT: Final = 2048
"""Accounts, and sources, that are remembered."""
SERVICES_LIMIT: Final = 2048
"""Sources, services and outcomes that are counted."""


_Key = tuple[str, Caid, Ident, Sid, Outcome]
"""A source, a service, and how it went."""
_Count = list[float]
"""How often, all seconds together, the last seconds, and when. Bare lists and tuples: every ECM
passes here."""
_Last = OrderedDict[str, deque[tuple[float, float, Outcome]]]


class Answers:
    """Remembers how ECMs went; fed with happenings."""

    def __init__(self) -> None:
        self._accounts: _Last = OrderedDict()
        self._sources: _Last = OrderedDict()
        self._services: OrderedDict[_Key, _Count] = OrderedDict()
        self._set_by = 0.0
        """Seconds by which the wall clock was set: what is remembered is by a clock that nobody
        sets."""

    def observe(self, happening: Happening) -> None:
        """Take a happening in; those that are no answer are none of its business."""
        match happening:
            case EcmFinished():
                self._remember(self._accounts, happening.account, happening)
            case SourceAnswered():
                self._remember(self._sources, happening.source, happening)
                self._add(happening)
            case ClockSet():
                self._set_by += happening.step

    def reporting(self) -> Generator[None, None, AnswerReport]:
        """All that is known; each is a step."""
        accounts = yield from _told(self._accounts, self._set_by)
        sources = yield from _told(self._sources, self._set_by)
        services: list[ServiceAnswers] = []
        for key, count in tuple(self._services.items()):
            services.append(_described(key, count, self._set_by))
            yield
        return AnswerReport(accounts=accounts, sources=sources, services=tuple(services))

    def _add(self, answer: SourceAnswered) -> None:
        key = (answer.source, answer.caid, answer.ident, answer.sid, answer.outcome)
        count = self._services.get(key)
        if count is None:
            if len(self._services) >= SERVICES_LIMIT:
                self._services.popitem(last=False)
            count = self._services[key] = [0, 0.0, 0.0, 0.0]
        else:
            self._services.move_to_end(key)
        weight, seconds = answer.weight, answer.seconds
        count[0] += weight
        count[1] += weight * seconds
        count[2], count[3] = seconds, answer.at - self._set_by

    def _remember(self, subjects: _Last, name: str, answer: EcmFinished | SourceAnswered) -> None:
        last = subjects.get(name)
        if last is None:
            if len(subjects) >= SUBJECTS_LIMIT:
                subjects.popitem(last=False)
            last = subjects[name] = deque(maxlen=LAST)
        else:
            subjects.move_to_end(name)
        last.append((answer.at - self._set_by, answer.seconds, answer.outcome))


def _told(
    subjects: _Last, set_by: float
) -> Generator[None, None, Mapping[str, tuple[AnswerTime, ...]]]:
    told: dict[str, tuple[AnswerTime, ...]] = {}
    for name, last in tuple(subjects.items()):
        told[name] = tuple(
            AnswerTime(at + set_by, seconds, outcome) for at, seconds, outcome in last
        )
        yield
    return told


def _described(key: _Key, count: _Count, set_by: float) -> ServiceAnswers:
    source, caid, ident, sid, outcome = key
    times, total, last, at = count
    return ServiceAnswers(
        source=source,
        caid=caid,
        ident=ident,
        sid=sid,
        outcome=outcome,
        count=int(times),
        usual_seconds=total / max(1.0, times),
        last_seconds=last,
        last_at=at + set_by,
    )
