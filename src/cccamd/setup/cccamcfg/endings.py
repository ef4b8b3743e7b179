"""What stands behind the password of a line, if lines before ended in the same words.

In a long file nearly all lines do, and taking the braces apart is most of the work with them.
"""

from typing import Final, Generic, TypeVar

from cccamd.setup.cccamcfg.diagnostics import LineNotes

L = TypeVar("L")

KEPT: Final = 1000
LONGEST: Final = 1000
"""Endings and their characters: what is kept of one file stays below some MB."""


class Endings(Generic[L]):
    """Lines of one kind and one file, by their endings; only such that there was nothing to say of,
    so that nothing is left unsaid about those that end like them."""

    def __init__(self) -> None:
        self._lines: dict[str, L] = {}

    def get(self, ending: str) -> L | None:
        """Find a line that ends like this."""
        return self._lines.get(ending)

    def keep(self, ending: str, line: L, notes: LineNotes) -> None:
        """Remember a line, now that it is read."""
        if not notes.found and len(self._lines) < KEPT and len(ending) <= LONGEST:
            self._lines[ending] = line
