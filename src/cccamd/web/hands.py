"""What a person may do through the pages. Values, and functions handed in by the daemon.

`by`, everywhere: who does it, for log and journal.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from cccamd.acting import Answer, Order
from cccamd.setup.accountacts import AccountChange
from cccamd.setup.doors import ProgramRecipe


class NumberedLine(NamedTuple):
    """A line of the log."""

    number: int
    """From 1 on, for whoever wants to go on behind it."""
    account: str
    """Whom it is about; empty: nobody in particular."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """One account, as the files have it."""

    name: str
    where: str
    """The file's name and the line, for people."""
    is_on: bool
    """Its line counts."""
    in_use: bool
    """The running server lets it in."""
    is_editable: bool
    """It is one of CCcam.cfg; what stands in cccamd.toml alone is changed by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBook:
    """All accounts."""

    rows: tuple[AccountRow, ...]
    """By name."""
    trouble: str = ""
    """Why they cannot be changed, or not be read; empty: nothing is in the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What to enter for an account. Holds its password."""

    recipes: tuple[ProgramRecipe, ...] = field(repr=False)
    code: str = field(repr=False)
    """What a QR code holds; empty: there is nothing to put into one."""


class Follow(Protocol):
    """The log of one account, or (empty) all of it, behind a line; ends when the reader ends it."""

    def __call__(
        self, account: str, *, since: int, pulse: float
    ) -> AsyncGenerator[NumberedLine | None, None]:
        """None: nothing to say for `pulse` seconds, or about somebody else."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Everything that the pages may do."""

    carry_out: Callable[[Order, str], Awaitable[Answer]]
    """An order, as commands give them."""
    book: Callable[[], Awaitable[AccountBook]]
    change: Callable[[AccountChange, str], Awaitable[Answer]]
    """Change an account and read the files again; never raises for what is in the files."""
    entry: Callable[[str, str, str], Awaitable[Entry | Answer]]
    """What to enter for an account, by an address of this machine (empty: the usual one); or why
    there is nothing. Account, address, by."""
    last_lines: Callable[[str], Sequence[NumberedLine]]
    """Those of the log that are kept, of one account or (empty) all, the oldest first."""
    follow: Follow
    refused: Callable[[str, str], None]
    """Told that a form was not taken: the address it came from, and why."""
