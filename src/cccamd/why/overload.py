"""Who asks more than it may, and a server that is asked more than it can answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cccamd.facts import Cause
from cccamd.watch import Symptom

SHOWN: Final = 3
"""Accounts that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What clients asked since the last look."""

    shed: int = 0
    """Requests that were refused because there was no time for them."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Messages a second of each account."""
    held_back: Sequence[str] = ()
    """Accounts that were read more slowly, for as long as two looks are apart at least."""


def overloads(load: Load, at: float) -> Iterator[Symptom]:
    """What of it is wrong."""
    if load.shed:
        most = sorted(load.rates.items(), key=lambda item: -item[1])[:SHOWN]
        yield Symptom(
            cause=Cause.OVERLOAD,
            subject="this server",
            since=at,
            text="is asked more than it can answer in time, and refuses what comes in new",
            change="see who asks so much; less of [limits] in cccamd.toml holds them back",
            evidence=tuple(f"{user}: {rate:,.0f} messages a second" for user, rate in most),
        )
    for user in load.held_back:
        rate = load.rates.get(user, 0.0)
        yield Symptom(
            cause=Cause.OVERLOAD,
            subject=user,
            since=at,
            text="asks more than [limits] in cccamd.toml allows, and is read more slowly",
            change="look what asks so much there; more receivers than that need higher [limits]",
            evidence=(f"{rate:,.0f} messages a second are taken from it",),
        )
