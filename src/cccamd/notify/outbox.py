"""What is told of incidents, and when.

Theory of operation. One incident is one message, and one more when it is over:

    began       it waits until it has lasted `after` seconds: what is over sooner is told to nobody
    told        it is told once, in its words of that moment, however often they change later
    ended       it is told as over, if it was told at all, as soon as it cannot come back as the
                same incident any more (a link that flaps is one message, not twenty)
    quiet       in quiet hours nothing is told. Afterwards all is told that still goes on, and what
                began and ended meanwhile as one line
    many        what is due at the same time is one message from `TOGETHER` on, and there are
                no more than `MESSAGES_AN_HOUR`. What is due when they are used up waits for the
                next; what ended meanwhile is told as one line there, as after quiet hours

Times are seconds of any monotonic clock; `minute` is the local time of day.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from cccamd.facts import Cause, Incident
from cccamd.setup.hours import TimeFrame
from cccamd.wording import count, lasted

SETTLED: Final = 180.0
"""Seconds after its end until an incident that comes back is another one (watch/incidents.py)."""
TOGETHER: Final = 4
MESSAGES_AN_HOUR: Final = 12
KEPT: Final = 500
"""Incidents that are remembered; there are never more open ones (watch/incidents.py)."""
NAMED: Final = 10
"""Incidents that one message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What `[notify]` says."""

    after: float = 60.0
    """Seconds that something must be wrong until it is told."""
    quiet: TimeFrame | None = None
    over: bool = True
    """Whether ends are told, too."""


class Message(NamedTuple):
    """What goes to every service."""

    title: str
    body: str
    is_over: bool = False


class _Held(Enum):
    """Why an incident was not told when it was due; the value is for people."""

    QUIET = "in the quiet hours"
    USED_UP = "while the messages of an hour were used up"


@dataclass(slots=True)
class _Missed:
    """What is over, and was never told."""

    lines: list[str] = field(default_factory=list)
    more: int = 0

    @property
    def number(self) -> int:
        """How many incidents they are."""
        return len(self.lines) + self.more

    def add(self, incident: Incident) -> None:
        """One more; the first few are named."""
        if len(self.lines) < NAMED:
            self.lines.append(_line(incident))
        else:
            self.more += 1

    @property
    def said(self) -> str:
        """A line for each."""
        return "\n".join([*self.lines, *([f"and {self.more} more"] if self.more else [])])


@dataclass(slots=True)
class _Case:
    incident: Incident
    since: float
    told_of: str = ""
    """What it was when it was told; empty: it was not."""
    ended_at: float | None = None
    held: _Held | None = None
    """Why it was not told when it was due; None: it was not due yet, or was told."""


@dataclass(slots=True)
class Outbox:
    """One server's incidents, as far as they are to be told."""

    rules: Rules
    _cases: "OrderedDict[int, _Case]" = field(default_factory=OrderedDict)
    _missed: dict[_Held, _Missed] = field(default_factory=dict)
    _credit: float = MESSAGES_AN_HOUR
    _credited_at: float | None = None

    def began(self, incident: Incident, now: float) -> None:
        """Something went wrong, or came back."""
        case = self._cases.get(incident.number)
        if case is None:
            if len(self._cases) >= KEPT:
                self._give_up(self._cases.popitem(last=False)[1])
            case = self._cases[incident.number] = _Case(incident, now)
        case.incident, case.ended_at = incident, None

    def grew(self, incident: Incident, parts: Sequence[int], now: float) -> None:
        """It is known as something else, or is what others were, which are told no more.

        Whoever was told of one source is told once more when it is several, and whoever was told
        that one is slow, when it is away.
        """
        absorbed = [self._cases.pop(part) for part in parts if part in self._cases]
        case = self._cases.get(incident.number)
        if case is None:
            self.began(incident, now)
            case = self._cases[incident.number]
        case.incident = incident
        case.since = min(case.since, *(part.since for part in absorbed), now)
        case.told_of = case.told_of or next((p.told_of for p in absorbed if p.told_of), "")

    def renew(self, incidents: Iterable[Incident]) -> None:
        """How those that go on are now: a trouble is told in the words that are true by then."""
        for incident in incidents:
            case = self._cases.get(incident.number)
            if case is not None and case.ended_at is None and incident.ended_at is None:
                case.incident = incident

    def forget(self, incident: Incident) -> None:
        """It is right again, and there is nobody to tell."""
        self._cases.pop(incident.number, None)

    def ended(self, incident: Incident, now: float) -> None:
        """It is right again."""
        case = self._cases.get(incident.number)
        if case is not None:
            case.incident, case.ended_at = incident, now

    def due(self, now: float, minute: int) -> tuple[Message, ...]:
        """What is to be told now; it counts as told."""
        self._earn(now)
        quiet = self.rules.quiet is not None and minute in self.rules.quiet
        begun, over = self._sort_out(now, quiet=quiet)
        if quiet or self._credit < 1.0 or not (begun or over or self._missed):
            return ()
        messages = self._messages(begun, over)
        self._credit -= len(messages)
        for case in begun:
            case.told_of = _matter(case.incident)
        for case in over:
            self._cases.pop(case.incident.number, None)
        self._missed = {}
        return messages

    def _earn(self, now: float) -> None:
        before = now if self._credited_at is None else self._credited_at
        earned = (now - before) * MESSAGES_AN_HOUR / 3600
        self._credit = min(float(MESSAGES_AN_HOUR), self._credit + earned)
        self._credited_at = now

    def _sort_out(self, now: float, *, quiet: bool) -> tuple[list[_Case], list[_Case]]:
        """Those to be told, and those to be told as over; forget what nobody is to know."""
        begun: list[_Case] = []
        over: list[_Case] = []
        for number, case in list(self._cases.items()):
            until = now if case.ended_at is None else case.ended_at
            is_news = case.told_of != _matter(case.incident)
            if is_news and until >= case.since + self.rules.after:
                if case.ended_at is None:
                    begun.append(case)
                case.held = case.held or self._obstacle(quiet=quiet)
            if case.ended_at is None or now < case.ended_at + SETTLED:
                continue
            if case.told_of and self.rules.over:
                over.append(case)
                continue
            self._give_up(case)
            del self._cases[number]
        return begun, over

    def _obstacle(self, *, quiet: bool) -> _Held | None:
        """What keeps from telling anything now."""
        if quiet:
            return _Held.QUIET
        return _Held.USED_UP if self._credit < 1.0 else None

    def _give_up(self, case: _Case) -> None:
        """It goes: if it should have been told and was not, that is told later."""
        if case.held is not None and not case.told_of:
            self._missed.setdefault(case.held, _Missed()).add(case.incident)

    def _messages(self, begun: Sequence[_Case], over: Sequence[_Case]) -> tuple[Message, ...]:
        number = len(begun) + len(over) + len(self._missed)
        if number < TOGETHER and number <= self._credit:
            messages = [_wrong(case.incident) for case in begun]
            messages += [_over(case.incident) for case in over]
            messages += [
                Message(f"Over again, {why.value}", missed.said)
                for why, missed in self._missed.items()
            ]
            return tuple(messages)
        parts = []
        if begun:
            parts.append(_listed("Wrong now:", begun))
        if over:
            parts.append(_listed("Over:", over))
        for why, missed in self._missed.items():
            parts.append(f"Over again, {why.value}:\n{missed.said}")
        wrong = count(len(begun), "thing") + (" is" if len(begun) == 1 else " are") + " wrong"
        ended = len(over) + sum(missed.number for missed in self._missed.values())
        title = wrong if begun else f"{count(ended, 'thing')} over"
        return (Message(title, "\n\n".join(parts), is_over=not begun),)


def _matter(incident: Incident) -> str:
    """What is wrong with whom, in rough: a source that is silent is as good as one that is down."""
    return f"{incident.cause is Cause.SOURCE_SLOW} {incident.subject}"


def _line(incident: Incident) -> str:
    return f"{incident.subject} {incident.text}"


def _wrong(incident: Incident) -> Message:
    lines = [f"{_line(incident)}."]
    if incident.change:
        lines.append(f"What to do: {incident.change}")
    if incident.suffering:
        named = incident.sufferers[:NAMED]
        lines.append(f"In trouble for it: {', '.join(named)}")
        if incident.suffering > len(named):
            lines[-1] += f" and {incident.suffering - len(named)} more"
    return Message(f"{incident.cause.value}: {incident.subject}", "\n".join(lines))


def _over(incident: Incident) -> Message:
    title = f"Over: {incident.cause.value}: {incident.subject}"
    body = f"It was: {_line(incident)}."
    if incident.ended_at is not None:
        seconds = incident.ended_at - incident.began_at
        body += f"\nIt lasted {lasted(seconds, incident.times)}."
    return Message(title, body, is_over=True)


def _listed(head: str, cases: Sequence[_Case]) -> str:
    lines = [_line(case.incident) for case in cases[:NAMED]]
    if len(cases) > NAMED:
        lines.append(f"and {len(cases) - NAMED} more")
    return "\n".join([head, *lines])
