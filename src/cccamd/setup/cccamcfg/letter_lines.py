"""The accounts and upstreams of one file; whoever comes first counts (section 6.1)."""

from typing import TypeVar

from cccamd.setup.cccamcfg.c_line import read_c_line
from cccamd.setup.cccamcfg.diagnostics import Code, LineNotes
from cccamd.setup.cccamcfg.f_line import read_f_line
from cccamd.setup.cccamcfg.lexer import Token
from cccamd.setup.cccamcfg.model import CLine, Codec, FLine, NLine, UnsupportedLine
from cccamd.setup.cccamcfg.n_line import read_n_line

_Upstream = TypeVar("_Upstream", CLine, NLine)


class LetterLines:
    """Collects the letter lines that can be used."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._accounts: dict[str, FLine] = {}
        self._c_lines: dict[tuple[str, int, str], CLine] = {}
        self._n_lines: dict[tuple[str, int, str], NLine] = {}
        self._unsupported: list[UnsupportedLine] = []

    def read_account(self, value: Token, notes: LineNotes) -> None:
        """Read an F-line.

        Raises:
            LineRefusedError: there is no account.
        """
        line = read_f_line(value, notes, self._codec)
        first = self._accounts.setdefault(line.user, line)
        if first is not line:
            text = f"the user is defined in line {first.line}, which counts"
            notes.add(Code.USER_REPEATED, value.column, text, "take this line out or rename")

    def read_cccam_upstream(self, value: Token, notes: LineNotes) -> None:
        """Read a C-line.

        Raises:
            LineRefusedError: there is no upstream.
        """
        line = read_c_line(value, notes, self._codec)
        _keep_first(self._c_lines, line, value, notes)

    def read_newcamd_upstream(self, value: Token, notes: LineNotes) -> None:
        """Read an N-line.

        Raises:
            LineRefusedError: there is no upstream.
        """
        line = read_n_line(value, notes, self._codec)
        _keep_first(self._n_lines, line, value, notes)

    def note_unsupported(self, letter: str, line: int) -> None:
        """Remember a line of a protocol that is not served."""
        self._unsupported.append(UnsupportedLine(line, letter))

    @property
    def f_lines(self) -> tuple[FLine, ...]:
        """The accounts, in the order of the file."""
        return tuple(self._accounts.values())

    @property
    def c_lines(self) -> tuple[CLine, ...]:
        """The CCcam upstreams, in the order of the file."""
        return tuple(self._c_lines.values())

    @property
    def n_lines(self) -> tuple[NLine, ...]:
        """The newcamd upstreams, in the order of the file."""
        return tuple(self._n_lines.values())

    @property
    def unsupported_lines(self) -> tuple[UnsupportedLine, ...]:
        """The lines of other protocols, in the order of the file."""
        return tuple(self._unsupported)


def _keep_first(
    known: dict[tuple[str, int, str], _Upstream],
    line: _Upstream,
    value: Token,
    notes: LineNotes,
) -> None:
    first = known.setdefault(line.key, line)
    if first is not line:
        text = f"host, port and user are those of line {first.line}, which counts"
        notes.add(Code.UPSTREAM_REPEATED, value.column, text, "take this line out")
