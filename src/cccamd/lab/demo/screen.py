"""The display while a broadcast runs: a live line on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from cccamd.lab.demo.broadcast import Broadcast


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
        self._progress.update(self._task, completed=done, description=describe(broadcast))


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
            text = f"{done:4.0%}  {describe(broadcast)}"
            self._console.print(text, markup=False, highlight=False)


def describe(broadcast: Broadcast) -> str:
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
    parts += [f"picture {verdict.value}" for verdict in broadcast.comparison.stretches[-1:]]
    return ", ".join(parts)
