"""What a person sees of a run: a live line while it lasts, the table it came to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from cccamd.lab.demo.broadcast import Broadcast
from cccamd.lab.demo.comparison import Comparison, Seen
from cccamd.lab.demo.picture import Frames

RENEWAL_STRETCHES = [Seen.DARK, Seen.CLEAR, Seen.DARK]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """The result of one run."""

    broadcast: Broadcast
    period: float
    made: Frames
    """In the clear stream."""
    played: Frames
    """In what the receiver made of it."""
    clear_path: Path
    scrambled_path: Path
    renewal: bool
    """Whether it was the story with an EMM, which has to begin and to end dark."""

    @property
    def is_good(self) -> bool:
        """Whether everything came out as it should."""
        comparison = self.broadcast.comparison
        if self.broadcast.failures:
            return False
        if self.renewal:
            sound = not comparison.owed and not comparison.counts[Seen.WRONG]
            return sound and comparison.stretches == RENEWAL_STRETCHES
        return comparison.is_identical and self.played == self.made

    def show(self, console: Console) -> None:
        """Print the table, and what went wrong."""
        table = Table(title="cccamd demo", title_justify="left", show_header=False)
        for name, value in self._rows():
            table.add_row(name, value)
        console.print(table)
        for failure in dict.fromkeys(self.broadcast.failures):
            console.print(f"on the way to the card: {failure}", markup=False)

    def as_json(self) -> dict[str, object]:
        """What programs are told; times in milliseconds."""
        broadcast, comparison = self.broadcast, self.broadcast.comparison
        return {
            "good": self.is_good,
            "answered": len(broadcast.answer_times),
            "refused": broadcast.refused,
            "answer_times_ms": [round(time * 1000, 3) for time in broadcast.answer_times],
            "identical": comparison.is_identical,
            "packets": {seen.value: comparison.counts[seen] for seen in Seen},
            "missing": comparison.owed,
            "seen": [seen.value for seen in comparison.stretches],
            "pictures": {"made": self.made.pictures, "played": self.played.pictures},
            "sounds": {"made": self.made.sounds, "played": self.played.sounds},
            "scrambled": str(self.scrambled_path),
            "clear": str(self.clear_path),
            "failures": list(dict.fromkeys(broadcast.failures)),
        }

    def summary(self) -> tuple[str, ...]:
        """What matters of it, for a table of many."""
        comparison = self.broadcast.comparison
        result = "identical" if comparison.is_identical else _result(comparison)
        pictures = f"{self.played.pictures} of {self.made.pictures}"
        return self._ecms(), self._times(), result, pictures

    def _rows(self) -> list[tuple[str, str]]:
        receiver = self.broadcast.receiver
        counts = self.broadcast.comparison.counts
        last = self.broadcast.scrambler.period
        return [
            ("packets", f"{receiver.packets:,}, of them {sum(counts.values()):,} scrambled"),
            ("crypto periods", f"{last.number + 1 if last else 0} of {self.period:g} s"),
            ("ECMs", self._ecms()),
            ("answer times", self._times()),
            ("comparison", _result(self.broadcast.comparison)),
            ("the viewer saw", self._seen()),
            ("played", self._played()),
            ("as sent, scrambled", str(self.scrambled_path)),
            ("as received, clear", str(self.clear_path)),
        ]

    def _ecms(self) -> str:
        answered, refused = len(self.broadcast.answer_times), self.broadcast.refused
        return f"{answered} answered, {refused} refused"

    def _times(self) -> str:
        times = self.broadcast.answer_times
        if not times:
            return "no answer"
        return f"median {median(times) * 1000:.1f} ms, worst {max(times) * 1000:.1f} ms"

    def _seen(self) -> str:
        stretches = self.broadcast.comparison.stretches
        return " - ".join(seen.value for seen in stretches) or "nothing"

    def _played(self) -> str:
        made, played = self.made, self.played
        return (
            f"{played.pictures} of {made.pictures} pictures, "
            f"{played.sounds} of {made.sounds} frames of sound"
        )


@dataclass(frozen=True, slots=True)
class ManyReports:
    """The results of services that were watched at the same time."""

    reports: tuple[DemoReport, ...]

    @property
    def is_good(self) -> bool:
        """Whether all of them came out as they should."""
        return all(report.is_good for report in self.reports)

    def as_json(self) -> dict[str, object]:
        """What programs are told."""
        services = [report.as_json() for report in self.reports]
        return {"good": self.is_good, "services": services}

    def show(self, console: Console) -> None:
        """Print a row for each, and what went wrong."""
        table = Table(title="cccamd demo", title_justify="left")
        for name in ("service", "ECMs", "answer times", "comparison", "pictures"):
            table.add_column(name)
        for number, report in enumerate(self.reports, 1):
            table.add_row(str(number), *report.summary())
        console.print(table)
        failures = (failure for report in self.reports for failure in report.broadcast.failures)
        for failure in dict.fromkeys(failures):
            console.print(f"on the way to the card: {failure}", markup=False)


Report = DemoReport | ManyReports


def _result(comparison: Comparison) -> str:
    if comparison.is_identical:
        return "identical to the clear stream, bit for bit"
    parts = [f"{comparison.counts[seen]:,} {seen.value}" for seen in Seen]
    if comparison.owed:
        parts.append(f"{comparison.owed:,} missing")
    return f"packets: {', '.join(parts)}"


class Screen(Protocol):
    """Shows how far a broadcast has come."""

    def show(self, broadcast: Broadcast, done: float) -> None:
        """Bring the display up to date; `done` is the part of the stream, 0 to 1."""


@contextmanager
def open_screen(console: Console) -> Iterator[Screen]:
    """Choose the display that fits the console, and clean it up in the end."""
    if not console.is_terminal:
        yield PlainScreen(console)
        return
    columns = (BarColumn(24), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console) as progress:
        yield LiveScreen(progress)


class LiveScreen:
    """A bar, and beside it the state of the moment."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=1.0)

    def show(self, broadcast: Broadcast, done: float) -> None:
        """Redraw the line."""
        self._progress.update(self._task, completed=done, description=describe_moment(broadcast))


class PlainScreen:
    """One line per answer: logs and pipes have no use for a bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._answers = -1

    def show(self, broadcast: Broadcast, done: float) -> None:
        """Print a line if an answer came since the last one."""
        answers = len(broadcast.answer_times) + broadcast.refused
        if answers != self._answers:
            self._answers = answers
            text = f"{done:4.0%}  {describe_moment(broadcast)}"
            self._console.print(text, markup=False, highlight=False)


def describe_moment(broadcast: Broadcast) -> str:
    """Say what is going on: crypto period, its parity, the last answer, what a viewer sees."""
    period = broadcast.scrambler.period
    if period is None:
        return "looking for the service"
    parts = [f"crypto period {period.number + 1} ({period.parity.name.lower()} CW)"]
    times = broadcast.answer_times
    if times:
        parts.append(f"last answer {times[-1] * 1000:.1f} ms")
    if broadcast.refused:
        parts.append(f"{broadcast.refused} refused")
    parts += [f"picture {seen.value}" for seen in broadcast.comparison.stretches[-1:]]
    return ", ".join(parts)
