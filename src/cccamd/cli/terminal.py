"""Pieces of what the terminal shows: texts, times in colours, small pictures, tables. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from cccamd.facts import OVERLOADED_SECONDS, SLOW_SECONDS, Point

SPARKS: Final = 24
"""Signs in a picture of answer times."""
_BARS: Final = "▁▂▃▄▅▆▇█"
_TALLEST: Final = 1.0
"""Seconds that fill a bar."""


def answer_time(seconds: float | None) -> Text:
    """Show an answer time in the colour it deserves."""
    return Text("") if seconds is None else Text(f"{seconds * 1000:.0f} ms", _colour(seconds))


def sparkline(points: Sequence[Point], *, now: float, seconds: float) -> Text:
    """Draw the median answer times of the last `seconds`; gaps where nothing happened."""
    slots = [0.0] * SPARKS
    for point in points:
        slot = int((point.at - (now - seconds)) * SPARKS / seconds)
        if 0 <= slot < SPARKS and point.answered:
            slots[slot] = max(slots[slot], point.median)
    line = Text()
    for longest in slots:
        line.append(_bar(longest), _colour(longest) if longest else "")
    return line


def _bar(seconds: float) -> str:
    if not seconds:
        return " "
    return _BARS[min(len(_BARS) - 1, int(seconds / _TALLEST * len(_BARS)))]


def _colour(seconds: float) -> str:
    if seconds <= SLOW_SECONDS:
        return "green"
    return "yellow" if seconds < OVERLOADED_SECONDS else "red"


def answered_share(answered: int, asked: int) -> Text:
    """Show how many were asked, and what part of them was answered."""
    if not asked:
        return Text("")
    percent = answered * 100 // asked  # 100 % means all
    style = "green" if percent >= 98 else "yellow" if percent >= 90 else "red"
    return Text(f"{asked} ").append(f"{percent} %", style)


@dataclass(frozen=True, slots=True)
class Column:
    """One column, and how wide the terminal must be to have it."""

    name: str
    right: bool = False
    from_width: int = 0


def draw_table(
    title: str, columns: Sequence[Column], rows: Iterable[Sequence[Text]], width: int
) -> Table:
    """Draw a table with the columns that there is room for."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    shown = [index for index, column in enumerate(columns) if column.from_width <= width]
    for column in (columns[index] for index in shown):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.name, justify=justify, overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(*(row[index] for index in shown))
    return table
