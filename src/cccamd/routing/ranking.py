"""In which order the cards that fit are asked: what is known of them, and what CCcam.prio says.

Source of the latter: docs/config.md section 4.1.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from cccamd.cards import Card
from cccamd.ids import Caid
from cccamd.routing.health import FREEZE, Health
from cccamd.values import Service

WAIT_STEP = 0.05
"""Seconds: a smaller difference between two answer times is noise."""
HOP_TIME = 0.15
"""What one hop is thought to take until it was measured."""
LATE_TIME = 1.5
"""What is added for a source that hangs: it goes behind all that answer, but not behind one
that always takes three seconds."""


class Rank(NamedTuple):
    """Why a card stands where it stands: the smaller, the earlier; the first difference counts."""

    standby: int
    """0: its source serves; else its place among those that stand by."""
    failing: bool
    """It refused the service last time, or waiting for it would freeze the picture."""
    order: int
    """Its place in a P-line of CCcam.prio; 0: none applies."""
    remote: bool
    wait: int
    """The usual answer time behind what it is busy with, and more if it hangs, in steps of
    `WAIT_STEP`."""
    hop: int
    source: int
    share_id: int

    @property
    def seconds(self) -> float:
        """The usual answer time behind what it is busy with."""
        return self.wait * WAIT_STEP

    @property
    def text(self) -> str:
        """A sentence for people."""
        parts = [
            f"stands by, number {self.standby}" if self.standby else "",
            "refused, slow or late" if self.failing else "",
            f"place {self.order} in the P-line" if self.order else "",
            f"hop {self.hop}" if self.remote else "local",
            f"answers in about {1000 * self.seconds:.0f} ms",
        ]
        return ", ".join(part for part in parts if part)


class Ranked(NamedTuple):
    """A card and its place."""

    rank: Rank
    card: Card


def rank_card(
    card: Card, service: Service, now: float, *, health: Health, refused: bool, order: int
) -> Rank:
    """Put what is known of a card into the order in which it counts."""
    source = health.of(card.source)
    usual = source.usual(service, now)
    wait = source.turns * (HOP_TIME * card.hop if usual is None else usual)
    if source.is_late(now):
        wait += LATE_TIME
    return Rank(
        standby=health.place(card, now),
        failing=refused or wait > FREEZE,
        order=order,
        remote=card.hop > 0,
        wait=round(wait / WAIT_STEP),
        hop=card.hop,
        source=card.source,
        share_id=card.share_id,
    )


CAIDS_WITHOUT_IDENT = 0x18
"""High byte of the CAIDs whose ident is unknown when the order is decided."""


@dataclass(frozen=True, slots=True)
class Priorities:
    """CCcam.prio as plain values."""

    ignored: tuple[Service, ...] = ()
    """I-lines: requests for these are never passed on to an upstream. Here and below, ident 0
    and sid 0 mean all."""
    orders: tuple[tuple[Service, ...], ...] = ()
    """P-lines, in the file's order; a sid on the first entry limits its line to that service."""
    _orders_by_caid: dict[Caid, list[tuple[Service, ...]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    @classmethod
    def of(cls, ignored: Iterable[Service], orders: Iterable[Iterable[Service]]) -> "Priorities":
        """Take the entries as CCcam.prio has them."""
        return cls(ignored=tuple(ignored), orders=tuple(tuple(line) for line in orders))

    def __post_init__(self) -> None:
        # Files with thousands of P-lines exist; a request looks at those of its CAID only.
        for line in self.orders:
            for caid in {system.caid for system in line}:
                self._orders_by_caid.setdefault(caid, []).append(line)

    def ignores(self, card: Card, service: Service) -> bool:
        """Whether a request must not be passed on to the card's source."""
        if card.hop == 0:
            return False
        caid, ident, sid = service
        idents = {
            system.ident
            for system in self.ignored
            if system.caid == caid and system.sid in (0, sid)
        }
        if not idents or 0 in idents:
            return bool(idents)
        asked = {ident} if ident else {provider.ident for provider in card.providers}
        return asked <= idents

    def order(self, cards: Collection[Card], service: Service) -> dict[Card, int]:
        """Each card's place in the first P-line that matches, counted from 1; {}: none does.

        Requests that name their provider need no order: all cards that fit offer the same.
        """
        caid, ident, sid = service
        if ident or caid >> 8 == CAIDS_WITHOUT_IDENT:
            return {}
        for line in self._orders_by_caid.get(caid, ()):
            systems = [system for system in line if system.caid == caid]
            in_service = line[0].sid in (0, sid)
            if in_service and all(_offered(system, cards) for system in systems):
                return {card: _place(card, systems) for card in cards}
        return {}


def _offered(system: Service, cards: Iterable[Card]) -> bool:
    return any(_offers(card, system) for card in cards)


def _offers(card: Card, system: Service) -> bool:
    return not system.ident or any(
        provider.ident in (0, system.ident) for provider in card.providers
    )


def _place(card: Card, systems: list[Service]) -> int:
    for place, system in enumerate(systems, start=1):
        if _offers(card, system):
            return place
    return len(systems) + 1
