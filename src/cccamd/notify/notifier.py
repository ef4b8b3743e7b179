"""Has the clock, and sends what is due: each service by itself, again and again if it must be."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cccamd.facts import Incident
from cccamd.net import TaskSet, in_thread
from cccamd.notify.outbox import Message, Outbox, Rules
from cccamd.notify.services import Service, ServiceError, open_service
from cccamd.watch import Happening, IncidentBegan, IncidentEnded, IncidentGrew, SourceUp
from cccamd.wording import count

log = logging.getLogger("cccamd.notify")

SETTING: Final = "[notify] urls"
LOOK: Final = 5.0
"""Seconds between two looks at what is due."""
AGAIN: Final = (30.0, 120.0, 600.0, 1800.0)
"""Seconds until a service that took nothing is tried again; the last for ever."""
PATIENCE: Final = 90.0
"""Seconds for one message; apprise has time-outs of its own, each step four seconds."""
LATE: Final = 60.0
"""Seconds after which a message says when it was due."""
KEPT: Final = 100
"""Messages that wait for one service; the oldest makes way."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A message, and when it was due."""

    message: Message
    at: float
    clock: str
    """The same, for people."""

    def said(self, now: float) -> Message:
        """What is sent: who is told late is told so, as it may be over by then."""
        if now - self.at < LATE:
            return self.message
        late = f"This was to be told at {self.clock}, and could not be sent until now."
        return self.message._replace(body=f"{self.message.body}\n{late}")


@dataclass(slots=True)
class _Line:
    """One service and what it has not taken yet."""

    service: Service
    waiting: "deque[_Due]" = field(default_factory=lambda: deque(maxlen=KEPT))
    given_up: int = 0
    """Messages that made way since the last that it took."""
    failures: int = 0
    tried_at: float = 0.0
    try_at: float = 0.0
    is_sending: bool = False

    def add(self, messages: "Sequence[_Due]") -> None:
        """Keep these for it; where there is no room, the oldest make way."""
        self.given_up += max(0, len(self.waiting) + len(messages) - KEPT)
        self.waiting.extend(messages)

    def next(self, now: float) -> Message:
        """What it is sent now, with a word of what it will never be sent."""
        message = self.waiting[0].said(now)
        if not self.given_up:
            return message
        missing = f"{count(self.given_up, 'message')} before this made way for newer ones."
        return message._replace(body=f"{message.body}\n\n{missing}")

    def said(self) -> str:
        """How it is with it, in words; empty: it takes what it is sent."""
        if not self.failures:
            return ""
        text = f"{self.service.name} takes no messages; waiting: {len(self.waiting)}"
        return f"{text}, made way for newer ones: {self.given_up}" if self.given_up else text


class Notifier:
    """Told of all happenings, sends messages by the rules that were adopted last."""

    def __init__(
        self,
        tasks: TaskSet,
        carried_out: Callable[[str, str], None],
        incidents: Callable[[], Iterable[Incident]] = tuple,
    ) -> None:
        """`carried_out`: told which setting was not carried out, and why; no words: it was.

        `incidents`: all there are, as they are now.
        """
        self._tasks = tasks
        self._carried_out = carried_out
        self._incidents = incidents
        self._urls: tuple[str, ...] = ()
        self._outbox = Outbox(Rules())
        self._lines: dict[str, _Line] = {}
        """By their addresses; those that are of no use have none."""
        self._wrong: tuple[str, ...] = ()

    async def adopt(self, urls: Sequence[str], rules: Rules) -> None:
        """Go by other settings from now on; what a service has not taken yet is kept for it."""
        self._outbox.rules = rules
        if tuple(urls) == self._urls:
            return
        self._urls = tuple(urls)
        lines: dict[str, _Line] = {}
        wrong: list[str] = []
        for number, url in enumerate(urls, 1):
            try:
                service = await asyncio.to_thread(open_service, number, url)
            except ServiceError as error:
                wrong.append(str(error))
                continue
            line = lines[url] = self._lines.get(url) or _Line(service)
            line.service = service
        self._lines, self._wrong = lines, tuple(dict.fromkeys(wrong))
        self._say()

    def observe(self, happening: Happening) -> None:
        """Take note of what happened, if it is about an incident.

        Also while there is nobody to tell: who is added in the midst of it is told of it.
        """
        now = time.monotonic()
        match happening:
            case IncidentBegan(incident=incident):
                self._outbox.began(incident, now)
            case IncidentGrew(incident=incident, parts=parts):
                self._outbox.grew(incident, parts, now)
            case IncidentEnded(incident=incident) if not self._lines:
                self._outbox.forget(incident)
            case IncidentEnded(incident=incident):
                self._outbox.ended(incident, now)
                self._hurry(now)
            case SourceUp():
                self._hurry(now)

    def _hurry(self, now: float) -> None:
        """A way is there again, which may lead to the services, too."""
        for line in self._lines.values():
            if line.failures:
                line.try_at = min(line.try_at, max(now, line.tried_at + AGAIN[0]))

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Hand what is due to all services, and begin to send where none is being sent."""
        if not self._lines:
            return
        local = time.localtime()
        self._outbox.renew(self._incidents())
        clock = time.strftime("%Y-%m-%d %H:%M", local)
        messages = self._outbox.due(now, 60 * local.tm_hour + local.tm_min)
        due = [_Due(message, now, clock) for message in messages]
        for line in self._lines.values():
            self._keep(line, due)
            if line.waiting and not line.is_sending and now >= line.try_at:
                line.is_sending = True
                self._tasks.start(f"message to {line.service.name}", self._send(line, now))

    def _keep(self, line: _Line, messages: Sequence[_Due]) -> None:
        if not messages:
            return
        had_given_up = line.given_up
        line.add(messages)
        if line.failures:
            self._say(is_news=bool(line.given_up) != bool(had_given_up))

    async def _send(self, line: _Line, now: float) -> None:
        due, failed_before, given_up = line.waiting[0], line.failures, line.given_up
        sent = line.next(now)
        taken = False
        try:
            async with asyncio.timeout(PATIENCE):
                taken = await in_thread(lambda: line.service.send(sent))
        except TimeoutError:
            pass
        finally:
            line.is_sending = False
        if taken:
            line.failures, line.given_up = 0, line.given_up - given_up
            if line.waiting and line.waiting[0] is due:
                line.waiting.popleft()
            else:  # it made way for newer ones just now, and has arrived all the same
                line.given_up -= 1
        else:
            line.tried_at = now
            line.try_at = now + AGAIN[min(line.failures, len(AGAIN) - 1)]
            line.failures += 1
        if bool(failed_before) != bool(line.failures):
            self._say()

    def _say(self, *, is_news: bool = True) -> None:
        """Tell how it is with the services; the log, of what is new and not a number only."""
        stuck = [text for line in self._lines.values() if (text := line.said())]
        text = "; ".join((*self._wrong, *stuck))
        if text and is_news:
            log.warning("%s", text)
        self._carried_out(SETTING, text)
