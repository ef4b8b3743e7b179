"""The words of the old info pages that the home page has, too.

Tools on receivers cut them: see `old_page_routes`.
"""

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
    safe = (
        char if char.isprintable() and char not in _NOT_IN_A_CELL else _INSTEAD for char in text
    )
    return "".join(safe).strip()


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
