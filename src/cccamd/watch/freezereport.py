"""What is known of freezes, as frozen values for pages and commands."""

from dataclasses import dataclass

from cccamd.ids import Caid, Ident, Sid
from cccamd.watch.margins import Margin


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMargin:
    """A channel that is being watched, and how much time is left before each key is needed."""

    account: str
    caid: Caid
    ident: Ident
    sid: Sid
    period: float | None
    """Seconds between two changes of the key; None: not known yet."""
    margin: float | None
    """Seconds left when the last CW came; negative: the picture froze."""
    margins: tuple[Margin, ...] = ()
    """The last ones, the oldest first."""
    forecast: str = ""
    """Says so when the trend goes to zero; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A picture that stood still, and what happened around it."""

    at: float
    """When the key was needed."""
    account: str
    caid: Caid
    ident: Ident
    sid: Sid
    seconds: float
    """How long, as far as is known."""
    over: bool
    source: str
    cause: str
    around: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeReport:
    """All about freezes."""

    channels: tuple[ChannelMargin, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    """The newest first."""
