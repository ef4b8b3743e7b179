"""Who watches which channel, and what is known of the key that it needs next."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, TypedDict

from cccamd.facts import ChannelMargin, EcmResult, Freeze, Margin
from cccamd.ids import Caid, Ident, Sid
from cccamd.watch.cryptoperiods import CryptoPeriod, Service
from cccamd.watch.margins import MARGINS_KEPT

SILENCE: Final = 2.5
"""Crypto periods without a request after which nobody watches a channel any more."""
UNKNOWN_PERIOD: Final = 60.0
"""Seconds that stand in for a crypto period that is not known (yet)."""


@dataclass(slots=True)
class WatchingAccount:
    """One account, and what it asked for last."""

    name: str
    last: Service
    asked_at: float
    """When it asked for `last`."""
    services: set[Service] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Watch:
    """One account on one service."""

    account: WatchingAccount
    service: Service
    crypto: CryptoPeriod
    fingerprint: int
    asked_at: float
    heard_at: float
    is_first: bool = True
    answered: bool = False
    refusal: EcmResult = EcmResult.NOK1
    due_at: float | None = None
    """When the CW that is missing is needed; None: not known, or none is missing."""
    freeze: Freeze | None = None
    margins: deque[Margin] = field(default_factory=lambda: deque(maxlen=MARGINS_KEPT))
    foreseen: float | None = None
    """When the margin will be used up; None: no freeze is foreseen."""

    def turn_to(self, fingerprint: int, asked_at: float) -> None:
        """The next ECM was asked for."""
        self.fingerprint, self.asked_at = fingerprint, asked_at
        self.is_first = self.answered = False
        self.due_at = None


class Subject(TypedDict):
    """What a happening about a channel is about."""

    account: str
    caid: Caid
    ident: Ident
    sid: Sid


def subject_of(watch: Watch) -> Subject:
    """Name the account and the channel."""
    caid, ident, sid = watch.service
    return {"account": watch.account.name, "caid": caid, "ident": ident, "sid": sid}


def has_gone_on(watch: Watch) -> bool:
    """Whether the account has asked for something else since: it has zapped away, or it
    watches two channels; then the next request for this one tells."""
    account = watch.account
    return account.last != watch.service and account.asked_at > watch.asked_at


def is_silent(watch: Watch, now: float) -> bool:
    """Whether nobody watches any more."""
    return now - watch.heard_at > SILENCE * (watch.crypto.period or UNKNOWN_PERIOD)


def channel_margin(watch: Watch) -> ChannelMargin:
    """What pages show of it."""
    forecast = ""
    if watch.foreseen is not None:
        left = watch.foreseen - watch.heard_at
        forecast = f"the margin falls: a freeze is due in about {left:.0f} s"
    return ChannelMargin(
        period=watch.crypto.period,
        margin=watch.margins[-1].seconds if watch.margins else None,
        margins=tuple(watch.margins),
        forecast=forecast,
        **subject_of(watch),
    )
