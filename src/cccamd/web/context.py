"""What the pages are made of: functions handed in by the daemon. No live object gets here.

Every page module has `routes(context: WebContext) -> Sequence[BaseRoute]`; `create_app` in
`app.py` puts them together behind the doors of `access.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cccamd.facts import Snapshot
from cccamd.ids import Caid, Ident, Sid
from cccamd.watch import FreezeReport, History, Note
from cccamd.why import Explanation, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """WEBINFO USERNAME and PASSWORD. None of both: no login; one of both: nobody gets in."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def is_needed(self) -> bool:
        """Whether anybody has to log in."""
        return self.username is not None or self.password is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebContext:
    """Everything the pages may know and ask. `login` and names may change with a reload."""

    snapshot: Callable[[], Snapshot]
    history: History
    happenings: Callable[[], Sequence[Note]]
    """What happened lately, the newest first."""
    explain: Callable[[Question], Explanation]
    freezes: Callable[[], FreezeReport]
    channel_name: Callable[[Caid, Ident, Sid], str | None]
    """From CCcam.channelinfo."""
    provider_name: Callable[[Caid, Ident], str | None]
    """From CCcam.providers."""
    login: Callable[[], Login]
    admits: Callable[[str], bool]
    """Whether an address may look at all, as `AllowedNetworks.admits`."""
    program: str
