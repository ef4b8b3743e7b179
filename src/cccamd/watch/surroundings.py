"""What else happened: the last answers of sources, kept so that a freeze can be explained."""

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from typing import Final

from cccamd.facts import SLOW_SECONDS, EcmResult
from cccamd.ids import format_service
from cccamd.watch.happenings import Happening, SourceAnswered, SourceDown, SourceUp
from cccamd.watch.watches import Service

TROUBLES_KEPT: Final = 512
ANSWERS_KEPT: Final = 8
"""For each service."""
SERVICES_LIMIT: Final = 4096
LINES_LIMIT: Final = 12


class Surroundings:
    """Remembers the last answers for each service, and the last troubles of any kind."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Service, deque[SourceAnswered]] = OrderedDict()
        self._troubles: deque[SourceAnswered | SourceDown | SourceUp] = deque(maxlen=TROUBLES_KEPT)

    def note(self, happening: Happening) -> None:
        """Remember what sources do; ignore everything else."""
        if isinstance(happening, SourceAnswered):
            self._note_answer(happening)
        elif isinstance(happening, SourceDown | SourceUp):
            self._troubles.append(happening)

    def last_source(self, service: Service, since: float) -> str:
        """Name the source that was heard last about a service; empty: none since then."""
        answers = self._answers.get(service)
        return answers[-1].source if answers and answers[-1].at >= since else ""

    def lines(self, service: Service, *, begin: float, end: float, zero: float) -> Iterator[str]:
        """Tell what happened between two times, one line each, times counted from `zero`."""
        lines = [*self._own(service, begin, end), *self._links(begin, end)]
        for at, text in sorted(lines)[-LINES_LIMIT:]:
            yield f"{at - zero:+.1f} s: {text}"
        yield from self._others(service, begin, end)

    def _note_answer(self, answer: SourceAnswered) -> None:
        service = answer.caid, answer.ident, answer.sid
        answers = self._answers.get(service)
        if answers is None:
            if len(self._answers) >= SERVICES_LIMIT:
                self._answers.popitem(last=False)
            answers = self._answers[service] = deque(maxlen=ANSWERS_KEPT)
        answers.append(answer)
        if answer.seconds >= SLOW_SECONDS or answer.result is not EcmResult.CW:
            self._troubles.append(answer)

    def _own(self, service: Service, begin: float, end: float) -> Iterator[tuple[float, str]]:
        for answer in self._answers.get(service, ()):
            if begin <= answer.at <= end:
                yield answer.at, f"{answer.source} {_describe(answer)}"

    def _links(self, begin: float, end: float) -> Iterator[tuple[float, str]]:
        for trouble in self._troubles:
            if not begin <= trouble.at <= end:
                continue
            if isinstance(trouble, SourceDown):
                yield trouble.at, f"{trouble.source} was lost: {trouble.reason}"
            elif isinstance(trouble, SourceUp):
                yield trouble.at, f"{trouble.source} was there again"

    def _others(self, service: Service, begin: float, end: float) -> Iterator[str]:
        """Sum up what sources did about other services: was it the source, or this service?"""
        slow: defaultdict[str, list[SourceAnswered]] = defaultdict(list)
        for trouble in self._troubles:
            if isinstance(trouble, SourceAnswered) and begin <= trouble.at <= end:
                about = trouble.caid, trouble.ident, trouble.sid
                if about != service:
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
