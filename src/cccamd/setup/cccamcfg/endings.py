"""What stands behind the password of a line, if lines before ended in the same words.

In a long file nearly all lines do, and taking the braces apart is most of the work with them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from cccamd.setup.cccamcfg.diagnostics import LineNotes, LineRefusedError
from cccamd.setup.cccamcfg.lexer import Token

L = TypeVar("L")

KEPT: Final = 1000
LONGEST: Final = 1000
"""Endings and their characters: what is kept of one file stays below some MB."""


class Endings(Generic[L]):
    """Lines of one kind and one file, by their endings; only such that there was nothing to say of,
    so that nothing is left unsaid about those that end like them. And why lines were refused,
    where that is a fault of their ending."""

    def __init__(self) -> None:
        self._lines: dict[str, L] = {}
        self._faults: dict[str, LineRefusedError] = {}

    def get(self, ending: str) -> L | None:
        """Find a line that ends like this."""
        return self._lines.get(ending)

    def fault(self, ending: str) -> LineRefusedError | None:
        """Find why a line that ended like this was refused; its column is that of that line."""
        return self._faults.get(ending)

    def keep(self, ending: str, line: L, notes: LineNotes) -> None:
        """Remember a line, now that it is read."""
        if not notes.found and _has_room(self._lines, ending):
            self._lines[ending] = line

    @contextmanager
    def reading(self, ending: Token) -> Iterator[None]:
        """While a line is read: remember its fault if that stands in its ending."""
        try:
            yield
        except LineRefusedError as error:
            if error.column >= ending.column and _has_room(self._faults, ending.text):
                self._faults[ending.text] = error
            raise


def _has_room(kept: dict[str, L], ending: str) -> bool:
    return len(kept) < KEPT and len(ending) <= LONGEST
