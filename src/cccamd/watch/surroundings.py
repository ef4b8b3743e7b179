"""What else happened: the last answers of sources, kept so that a freeze can be explained."""

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Container, Iterator
from typing import Final

from cccamd.facts import SLOW_SECONDS, EcmResult
from cccamd.ids import format_service
from cccamd.watch.cases import SeenAnswer, Service
from cccamd.watch.happenings import Happening, SourceAnswered, SourceDown, SourceUp

_CW: Final = EcmResult.CW
TROUBLES_KEPT: Final = 512
ANSWERS_KEPT: Final = 8
"""For each service."""
SERVICES_LIMIT: Final = 4096
SOURCES_LIMIT: Final = 1024
LINES_LIMIT: Final = 12


Trouble = SourceAnswered | SourceDown | SourceUp


class Surroundings:
    """Remembers the last answers for each service, and the last troubles of any kind.

    Times are those of the caller's own clock: each happening is given with its time.
    """

    def __init__(self) -> None:
        self._answers: OrderedDict[Service, deque[tuple[float, SourceAnswered]]] = OrderedDict()
        self._troubles: deque[tuple[float, Trouble]] = deque(maxlen=TROUBLES_KEPT)
        self._down: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def note(self, happening: Happening, at: float) -> None:
        """Remember what sources do; ignore everything else."""
        if isinstance(happening, SourceAnswered):
            self._note_answer(happening, at)
        elif isinstance(happening, SourceDown):
            self._troubles.append((at, happening))
            self._down.pop(happening.source, None)
            self._down[happening.source] = at, happening.reason
            if len(self._down) > SOURCES_LIMIT:
                self._down.popitem(last=False)
        elif isinstance(happening, SourceUp):
            self._troubles.append((at, happening))
            self._down.pop(happening.source, None)

    def down(self, sources: Container[str]) -> Iterator[tuple[str, float, str]]:
        """Those of the sources whose link was lost and is not there again: name, since, why."""
        for source, (at, reason) in self._down.items():
            if source in sources:
                yield source, at, reason

    def answers(
        self, service: Service, *, sources: Container[str], begin: float, end: float
    ) -> Iterator[tuple[float, SeenAnswer]]:
        """What these sources said about a service between two times."""
        for at, answer in self._answers.get(service, ()):
            if begin <= at <= end and answer.source in sources:
                yield at, SeenAnswer(answer.at, answer.source, answer.outcome, answer.seconds)

    def lines(
        self, service: Service, *, sources: Container[str], begin: float, end: float, zero: float
    ) -> Iterator[str]:
        """Tell what these sources did between two times, one line each, times counted from
        `zero`. Others are nobody's business: the account that froze never asked them."""
        lines = [*self._own(service, sources, begin, end), *self._links(sources, begin, end)]
        for at, text in sorted(lines)[-LINES_LIMIT:]:
            yield f"{at - zero:+.1f} s: {text}"
        yield from self._others(service, sources, begin, end)

    def _note_answer(self, answer: SourceAnswered, at: float) -> None:
        service = answer.caid, answer.ident, answer.sid
        answers = self._answers.get(service)
        if answers is None:
            if len(self._answers) >= SERVICES_LIMIT:
                self._answers.popitem(last=False)
            answers = self._answers[service] = deque(maxlen=ANSWERS_KEPT)
        answers.append((at, answer))
        if answer.seconds >= SLOW_SECONDS or answer.result is not _CW:
            self._troubles.append((at, answer))

    def _own(
        self, service: Service, sources: Container[str], begin: float, end: float
    ) -> Iterator[tuple[float, str]]:
        for at, answer in self._answers.get(service, ()):
            if begin <= at <= end and answer.source in sources:
                yield at, f"{answer.source} {_describe(answer)}"

    def _links(
        self, sources: Container[str], begin: float, end: float
    ) -> Iterator[tuple[float, str]]:
        for at, trouble in self._troubles:
            if not begin <= at <= end or trouble.source not in sources:
                continue
            if isinstance(trouble, SourceDown):
                yield at, f"{trouble.source} was lost: {trouble.reason}"
            elif isinstance(trouble, SourceUp):
                yield at, f"{trouble.source} was there again"

    def _others(
        self, service: Service, sources: Container[str], begin: float, end: float
    ) -> Iterator[str]:
        """Sum up what sources did about other services: was it the source, or this service?"""
        slow: defaultdict[str, list[SourceAnswered]] = defaultdict(list)
        for at, trouble in self._troubles:
            if isinstance(trouble, SourceAnswered) and begin <= at <= end:
                about = trouble.caid, trouble.ident, trouble.sid
                if about != service and trouble.source in sources:
                    slow[trouble.source].append(trouble)
        for source, answers in slow.items():
            yield f"{source} also was in trouble with other services: {_sum(answers)}"


def _describe(answer: SourceAnswered) -> str:
    took = f"after {answer.seconds:.2f} s"
    if answer.result is EcmResult.CW:
        return f"gave the CW {took}"
    return f"{answer.outcome.value} {took}"


def _sum(answers: list[SourceAnswered]) -> str:
    counts = Counter(format_service(answer.caid, answer.ident, answer.sid) for answer in answers)
    worst = max(answer.seconds for answer in answers)
    shown = ", ".join(service for service, _ in counts.most_common(3))
    more = f" and {len(counts) - 3} more" if len(counts) > 3 else ""
    return f"{shown}{more}, at worst {worst:.2f} s"
