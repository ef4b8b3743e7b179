"""What a run came to: the verdict, and the table for people."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from cccamd.lab.demo.broadcast import Broadcast
from cccamd.lab.demo.comparison import Comparison, Verdict
from cccamd.lab.demo.picture import Frames

RENEWAL_STRETCHES = [Verdict.DARK, Verdict.CLEAR, Verdict.DARK]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
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
            sound = not comparison.owed and not comparison.counts[Verdict.WRONG]
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
        return " - ".join(verdict.value for verdict in stretches) or "nothing"

    def _played(self) -> str:
        made, played = self.made, self.played
        return (
            f"{played.pictures} of {made.pictures} pictures, "
            f"{played.sounds} of {made.sounds} frames of sound"
        )


def _result(comparison: Comparison) -> str:
    if comparison.is_identical:
        return "identical to the clear stream, bit for bit"
    parts = [f"{comparison.counts[verdict]:,} {verdict.value}" for verdict in Verdict]
    if comparison.owed:
        parts.append(f"{comparison.owed:,} missing")
    return f"packets: {', '.join(parts)}"
