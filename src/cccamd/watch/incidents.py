"""What is wrong, as one list: incidents are opened, kept up to date, and closed.

Theory of operation. Somebody looks every second or two at all that may be wrong, and hands over
the *symptoms*: everything that is wrong at this moment, each with its cause and its subject.
Cause and subject (and, where it has one, its key) make an incident what it is:

    a symptom that is new       opens an incident: `IncidentBegan`
    one that is still there     renews its words; who has ever suffered stays among the sufferers
    one that is missing         for `GRACE` seconds is thought to be there; then it is over, and
                                was over since it was seen last: `IncidentEnded`
    one that comes back         within `RETURN` seconds of its end opens the same incident again
                                (`times` grows): a link that flaps is one line, not a wall
    one of the same that is     goes on with its incident under its own cause: `IncidentGrew`. What
    worse                       is slow at first, then silent, then down is one trouble; so is a
                                pause of 20 seconds after one of 60 ms
    one that covers others      takes the place of the incidents of those whom it covers, and goes
                                on with the oldest: `IncidentGrew`. Three sources behind one router

So the list says what is, whatever was missed before; nothing has to be told twice, and no event
that got lost leaves an incident open for ever.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from cccamd.facts import Cause, Incident
from cccamd.watch.happenings import Happening
from cccamd.watch.stamps import followed

GRACE = 8.0
"""Seconds without its symptom after which an incident is over."""
RETURN: Final = 180.0
"""Seconds within which a symptom that comes back is the incident that it was."""
MUCH_WORSE: Final = 10
"""So many times the size that was told last are told anew."""
OPEN_LIMIT: Final = 200
"""More is no help to anybody: those that came first are kept."""
PAST_LIMIT: Final = 200
SUFFERERS_LIMIT: Final = 5000
SUFFERERS_NAMED: Final = 50

Key = tuple[Cause, str, str]
_GROWS_INTO: Final = {Cause.SOURCE_SILENT: Cause.SOURCE_DOWN}
"""Causes that are one trouble: which it is depends on when one looks."""
YOUNG: Final = 60.0
"""Seconds for which a source that is slow may be one that is about to fall silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """Something that is wrong at this moment. The words mean the same as in `Incident`."""

    cause: Cause
    subject: str
    key: str = ""
    """Tells symptoms of one cause and subject apart; the incidents are shown without it."""
    since: float
    """Seconds since the epoch, as far as it is known."""
    text: str
    change: str = ""
    sufferers: frozenset[str] = frozenset()
    """Accounts."""
    evidence: tuple[str, ...] = ()
    only_lingers: bool = False
    """It is what is left of a trouble: once all is over, the words that came before are told."""
    covers: frozenset[str] = frozenset()
    """Sources whose own troubles are this one."""
    size: float = 0.0
    """How bad it is, in whatever unit; 0: that cannot be said by a number."""

    @property
    def identity(self) -> Key:
        """What makes an incident of it the same as one before."""
        return _GROWS_INTO.get(self.cause, self.cause), self.subject, self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentBegan(Happening):
    """Something went wrong, or came back."""

    incident: Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentGrew(Happening):
    """It goes on under another cause, hits more sources, or is much worse than was told."""

    incident: Incident
    is_renamed: bool = False
    """Its cause or its subject is another one than before."""
    parts: tuple[int, ...] = ()
    """Numbers of other incidents that are part of it from now on, and are told no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEnded(Happening):
    """It is right again."""

    incident: Incident


@dataclass(slots=True)
class _Open:
    number: int
    symptom: Symptom
    began_at: float
    seen_at: float
    times: int = 1
    ended_at: float | None = None
    sufferers: set[str] = field(default_factory=set)
    cause: Symptom | None = None
    """The last one that did not only linger."""
    covered: set[str] = field(default_factory=set)
    told_size: float = 0.0

    def renew(self, symptom: Symptom, now: float) -> bool:
        """Take in how it is now; whether it has grown."""
        grew = not symptom.covers <= self.covered
        if self.cause is not None and not symptom.only_lingers:
            grew = grew or symptom.cause != self.cause.cause
        if symptom.size >= MUCH_WORSE * self.told_size:
            grew = grew or self.told_size > 0
            self.told_size = symptom.size
        elif MUCH_WORSE * symptom.size < self.told_size:
            self.told_size = symptom.size  # that is over: the next one is told
        self.covered |= symptom.covers
        self.symptom, self.seen_at = symptom, now
        if not symptom.only_lingers:
            self.cause = symptom
        if len(self.sufferers) < SUFFERERS_LIMIT:
            self.sufferers |= symptom.sufferers
        return grew

    def incident(self) -> Incident:
        """The incident as it is now: while it goes on those who suffer now, then all who did."""
        symptom, sufferers = self.symptom, self.symptom.sufferers
        if self.ended_at is not None:
            symptom, sufferers = self.cause or symptom, frozenset(self.sufferers)
        return Incident(
            number=self.number,
            cause=symptom.cause,
            subject=symptom.subject,
            text=symptom.text,
            change=symptom.change,
            began_at=self.began_at,
            ended_at=self.ended_at,
            times=self.times,
            suffering=len(sufferers),
            sufferers=tuple(sorted(sufferers, key=str.casefold)[:SUFFERERS_NAMED]),
            evidence=symptom.evidence,
        )


class Incidents:
    """All incidents of a server since it started; bounded."""

    def __init__(self) -> None:
        self._open: dict[Key, _Open] = {}
        self._past: OrderedDict[Key, _Open] = OrderedDict()
        """By what they are about, the last one of each, the newest last."""
        self._history: OrderedDict[int, Incident] = OrderedDict()
        """Those that are over, by number, the newest last."""
        self._count = 0

    def update(self, symptoms: Iterable[Symptom], now: float) -> list[Happening]:
        """Take in all that is wrong at `now` (seconds since the epoch); tell what is news."""
        found: list[Happening] = []
        present: dict[Key, Symptom] = {}
        for symptom in symptoms:
            present.setdefault(symptom.identity, symptom)
        for key, symptom in present.items():
            found += self._take_in(key, symptom, now)
        return [*self._end_those_gone(present, now), *found]

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by `step` seconds: what goes on, and what may come back, did not
        begin or end at another moment for that. Those that are over keep the times they had."""
        for known in (*self._open.values(), *self._past.values()):
            known.began_at = followed(known.began_at, step, now)
            known.seen_at = followed(known.seen_at, step, now)

    def report(self) -> tuple[Incident, ...]:
        """What is wrong now, by how many suffer; then what was wrong, the newest first."""
        now_wrong = [known.incident() for known in self._open.values()]
        now_wrong.sort(key=lambda incident: (-incident.suffering, incident.began_at))
        return (*now_wrong, *reversed(self._history.values()))

    def _take_in(self, key: Key, symptom: Symptom, now: float) -> Iterator[Happening]:
        parts = self._parts_of(symptom, now)
        known = self._open.get(key)
        if known is None and parts and not self._returns(key, now):
            oldest = min(parts, key=lambda part: parts[part].began_at)
            known = self._open[key] = parts.pop(oldest)
            del self._open[oldest]
        if known is None:
            if len(self._open) >= OPEN_LIMIT:
                return
            yield self._begin(key, symptom, now)
            known = self._open[key]
        for part, absorbed in parts.items():
            del self._open[part]
            known.sufferers |= absorbed.sufferers
        before = known.symptom.cause, known.symptom.subject
        if known.renew(symptom, now) or parts:
            yield IncidentGrew(
                at=now,
                incident=known.incident(),
                is_renamed=before != (symptom.cause, symptom.subject),
                parts=tuple(absorbed.number for absorbed in parts.values()),
            )

    def _parts_of(self, symptom: Symptom, now: float) -> dict[Key, _Open]:
        """Open incidents that are the same trouble: of sources it covers, or its beginning."""
        found: dict[Key, _Open] = {}
        cause, subject, _ = symptom.identity
        for name in symptom.covers or ((subject,) if cause is Cause.SOURCE_DOWN else ()):
            slow, away = (Cause.SOURCE_SLOW, name, ""), (Cause.SOURCE_DOWN, name, "")
            if slow in self._open and now - self._open[slow].began_at < YOUNG:
                found[slow] = self._open[slow]
            if symptom.covers and away in self._open:
                found[away] = self._open[away]
        return found

    def _returns(self, key: Key, now: float) -> bool:
        past = self._past.get(key)
        return past is not None and now - past.seen_at <= RETURN

    def _begin(self, key: Key, symptom: Symptom, now: float) -> Happening:
        returns = self._returns(key, now)
        past = self._past.pop(key, None)
        if past is not None and returns:
            incident, incident.ended_at, incident.told_size = past, None, 0.0
            incident.times += 1
            self._history.pop(incident.number, None)
        else:
            self._count += 1
            # A wall clock that was set back must not make it end before it began.
            incident = _Open(self._count, symptom, min(symptom.since, now), now)
        incident.renew(symptom, now)
        self._open[key] = incident
        return IncidentBegan(at=now, incident=incident.incident())

    def _end_those_gone(self, present: Mapping[Key, Symptom], now: float) -> list[Happening]:
        found: list[Happening] = []
        for key, known in list(self._open.items()):
            if key in present or 0 <= now - known.seen_at < GRACE:
                continue
            del self._open[key]
            known.ended_at = max(known.seen_at, known.began_at)
            incident = known.incident()
            self._remember(key, known, incident)
            found.append(IncidentEnded(at=now, incident=incident))
        return found

    def _remember(self, key: Key, known: _Open, incident: Incident) -> None:
        self._past[key] = known
        self._history[known.number] = incident
        if len(self._past) > PAST_LIMIT:
            self._past.popitem(last=False)
        if len(self._history) > PAST_LIMIT:
            self._history.popitem(last=False)
