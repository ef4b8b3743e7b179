"""What stands in the journal: one kind of value for everything, a row and a line alike."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

FILE_NAME: Final = "journal.db"
"""In the folder of the node id, unless somebody says otherwise."""


class Kind(Enum):
    """What an entry tells; the value is what files and exports hold."""

    START = "start"
    """The journal begins to write: the server has started."""
    LOGIN = "login"
    LOGOUT = "logout"
    REFUSED = "refused"
    """Somebody did not get in."""
    LINK = "link"
    """What the round trips of one login look like."""
    VISIT = "visit"
    """One account on one channel, from `at` to `until`."""
    FREEZE = "freeze"
    """A picture stood still, from `at` to `until`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal. Times are seconds; `at` and `until` since the epoch.

    Two entries of the same moment, kind, account, address and service are one: the later one
    says more.
    """

    at: float
    kind: Kind
    account: str = ""
    address: str = ""
    caid: int = 0
    ident: int = 0
    sid: int = 0
    until: float | None = None
    source: str = ""
    """Who gave the CWs; with how many of them when there were several."""
    asked: int = 0
    answered: int = 0
    """With a CW."""
    median: float | None = None
    """The usual answer time, to within some percent."""
    worst: float | None = None
    text: str = ""
    """A reason, a version, a cause: for people."""
