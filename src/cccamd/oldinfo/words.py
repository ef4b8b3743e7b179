"""The words of the old info pages, and the cells of their tables.

Tools on receivers cut them at fixed words and signs: every reader splits a table at `|`, and
none decodes entities.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cccamd.facts import Snapshot, active_clients
from cccamd.ids import format_node_id

_NOT_IN_A_CELL: Final = frozenset("|,<>&")
_INSTEAD: Final = "_"


def clean(text: str) -> str:
    """Replace what would break a table, and blanks at both ends.

    Line breaks of every kind, control characters and broken surrogates are all not printable.
    """
    safe = (_INSTEAD if char in _NOT_IN_A_CELL else char for char in printable(text))
    return "".join(safe).strip()


def printable(text: str) -> str:
    """Replace what is no sign: breaks of lines and documents, marks that turn writing around."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _INSTEAD for char in text)


def duration(seconds: float) -> str:
    """Show a duration: `01d 02:03:04`."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86_400)
    return f"{days:02d}d {rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


def home_lines(snapshot: Snapshot) -> list[str]:
    """The lines of the home page, and of telnet's `info`."""
    return [
        f"Current time {datetime.fromtimestamp(snapshot.at):%H:%M:%S}",
        f"NodeID: {format_node_id(snapshot.node_id)}",
        f"Uptime: {duration(snapshot.at - snapshot.started_at)}",
        f"Connected clients: {len(snapshot.clients)}",
        f"Active clients: {len(active_clients(snapshot))}",
        f"Total handled client ecm's: {snapshot.ecms_total}",
        f"Total handled client emm's: {snapshot.emms_total}",
        f"Peak load (max queued requests per workerthread): {snapshot.peak_pending}",
    ]


def home_block(snapshot: Snapshot) -> str:
    """The end of the home page, the document's end included.

    No `<BR><BR>` and no `Current` may stand before it.
    """
    return "<BR><BR>" + "<BR>".join(home_lines(snapshot)) + "<BR></BODY></HTML>"


def version_word(program: str) -> str:
    """What stands where the original has its version: one word."""
    return "-".join(clean(program).split())


def heading(program: str) -> str:
    """The one H2 of a page. Readers cut the version between two blanks."""
    return f"<H2>Welcome to CCcam {version_word(program)} server</H2>"


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
class TextColumn:
    """One column: its heading as it stands between two `|`, and a second line of it."""

    heading: str
    right: bool = False
    below: str = ""


def draw_table(columns: tuple[TextColumn, ...], rows: Iterable[tuple[str, ...]]) -> str:
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
