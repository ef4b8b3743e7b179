"""What the pages are made of: functions handed in by the daemon. No live object gets here."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from cccamd.facts import (
    Freeze,
    FreezeReport,
    HistoryReport,
    Incident,
    Note,
    ServiceId,
    Snapshot,
    Span,
)
from cccamd.ids import Caid, Ident, Sid, format_caid, format_ident, format_sid
from cccamd.setup.cccamcfg import InfoPort
from cccamd.watch.metrics.counting import Metrics
from cccamd.web.hands import Hands
from cccamd.why import Diagnosis, Explanation, Question

Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebContext:
    """Everything the pages may know and ask. `login` and names may change with a reload."""

    snapshot: Callable[[], Awaitable[Snapshot]]
    """Taken in slices: others have the loop in between."""
    history: Callable[[Span], HistoryReport]
    happenings: Callable[[], Sequence[Note]]
    """What happened lately, the newest first."""
    explain: Callable[[Question], Awaitable[Explanation]]
    freezes: Callable[[], Awaitable[FreezeReport]]
    freeze: Callable[[int], Awaitable[Freeze | None]]
    """The freeze of a number, also one that only the journal knows; None: nobody knows it."""
    incidents: Callable[[], Sequence[Incident]]
    """What is wrong, by how many suffer; then what was wrong, the newest first."""
    check_up: Callable[[], Awaitable[Sequence[Diagnosis]]]
    """What the doctor says from inside the server."""
    journal: Callable[[], Path | None]
    """The journal's file; None: none is written."""
    metrics: Metrics
    channel_name: Callable[[Caid, Ident, Sid], str | None]
    """From CCcam.channelinfo."""
    find_channels: Callable[[str, int], Sequence[ServiceId]]
    """At most so many channels with these words in their name, the best match first; any thread
    may ask."""
    provider_name: Callable[[Caid, Ident], str | None]
    """From CCcam.providers."""
    login: Callable[[], InfoPort]
    """User name and password. None of both: no login; one of both: nobody gets in."""
    check_login: Callable[[str, bytes, bool], Awaitable[bool]]
    """Whether an address may come in with a user name, given whether it is right with its
    password; takes its time when there were wrong ones."""
    admits: Callable[[str], bool]
    """Whether an address may look at all, as `AllowedNetworks.admits`."""
    hosts: Callable[[], Collection[str]]
    """Names by which the pages may be asked for, besides those of this machine."""
    program: str
    hands: Callable[[], Hands | None] = lambda: None
    """What may be done here; None: nothing."""
    on_failure: Callable[[str, BaseException], None]
    """Told which page failed, and why."""

    @property
    def is_managed(self) -> bool:
        """Whether something may be done here: only behind a login."""
        return self.login().is_complete and self.hands() is not None


def explain_link(
    *,
    account: str = "",
    address: str = "",
    source: str = "",
    service: ServiceId | None = None,
) -> str:
    """Where the explanation for this account, address, source or service is."""
    query = {"account": account, "address": address, "source": source}
    if service is not None:
        query["caid"] = format_caid(service.caid)
        query["ident"] = format_ident(service.ident)
        query["sid"] = format_sid(service.sid)
    return "/explain?" + urlencode({key: value for key, value in query.items() if value})
