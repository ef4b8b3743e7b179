"""Cells of the old text tables: every reader splits at `|`, and none decodes entities."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cccamd.web import clean

_INSTEAD: Final = "_"

_SYSTEMS: Final = {
    0x01: "seca",
    0x05: "viaccess",
    0x06: "irdeto",
    0x09: "nds",
    0x0B: "conax",
    0x0D: "cryptoworks",
    0x17: "betacrypt",
    0x18: "nagra",
}
"""By the upper byte of the CAID; the names that these pages have always used."""


def clean_word(text: str) -> str:
    """As `clean`, and without blanks in the middle."""
    return _INSTEAD.join(clean(text).split())


def unique_words(texts: Iterable[str]) -> Iterator[str]:
    """Clean names that readers use as keys; the second of the same name gets a number."""
    seen: set[str] = set()
    for text in texts:
        word = first = clean_word(text) or _INSTEAD
        number = 2
        while word in seen:
            word = f"{first}({number})"
            number += 1
        seen.add(word)
        yield word


def ratio(asked: int, answered: int) -> str:
    """Show how many were asked, and answered: `180(175)`."""
    return f"{asked}({answered})"


def system_name(caid: int) -> str:
    """Name the CA system of a CAID."""
    return _SYSTEMS.get(caid >> 8, "Unknown")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading as it stands between two `|`, and a second line of it."""

    heading: str
    right: bool = False
    below: str = ""


def draw_table(columns: tuple[Column, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Draw a table whose cells are clean already, each line ended by a line feed."""
    headings = [tuple(column.heading for column in columns)]
    if any(column.below for column in columns):
        headings.append(tuple(column.below for column in columns))
    filled = list(rows)
    widths = [max(map(len, cells)) for cells in zip(*headings, *filled, strict=True)]
    separator = "+" + "+".join("-" * width for width in widths) + "+\n"
    lefts = (False,) * len(columns)
    rights = tuple(column.right for column in columns)
    head = "".join(_line(row, widths, lefts) for row in headings)
    body = "".join(_line(row, widths, rights) for row in filled)
    return separator + head + separator + body + separator


def _line(row: tuple[str, ...], widths: list[int], rights: tuple[bool, ...]) -> str:
    cells = (
        text.rjust(width) if right else text.ljust(width)
        for text, width, right in zip(row, widths, rights, strict=True)
    )
    return "|" + "|".join(cells) + "|\n"
