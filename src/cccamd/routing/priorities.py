"""The order and the ban that CCcam.prio puts on requests (docs/config.md section 4.1)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from cccamd.cards import Card
from cccamd.ids import Caid, Ident, Sid
from cccamd.routing.keys import Service

CAIDS_WITHOUT_IDENT = 0x18
"""High byte of the CAIDs whose ident is unknown when the order is decided."""


@dataclass(frozen=True, slots=True)
class System:
    """`caid[:ident[:sid]]` of a P- or I-line; ident 0 and sid 0 (or left out) mean all."""

    caid: Caid
    ident: Ident
    sid: Sid


@dataclass(frozen=True, slots=True)
class Priorities:
    """CCcam.prio as plain values."""

    ignored: tuple[System, ...] = ()
    """I-lines: requests for these are never passed on to an upstream."""
    orders: tuple[tuple[System, ...], ...] = ()
    """P-lines, in the file's order; a sid on the first entry limits its line to that service."""
    _orders_by_caid: dict[Caid, list[tuple[System, ...]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        # Files with thousands of P-lines exist; a request looks at those of its CAID only.
        for line in self.orders:
            for caid in {system.caid for system in line}:
                self._orders_by_caid.setdefault(caid, []).append(line)

    @classmethod
    def of(cls, ignored: Iterable[Service], orders: Iterable[Iterable[Service]]) -> "Priorities":
        """Take the entries as CCcam.prio has them."""
        return cls(
            ignored=tuple(System(*entry) for entry in ignored),
            orders=tuple(tuple(System(*entry) for entry in line) for line in orders),
        )

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


def _offered(system: System, cards: Iterable[Card]) -> bool:
    return any(_offers(card, system) for card in cards)


def _offers(card: Card, system: System) -> bool:
    return not system.ident or any(
        provider.ident in (0, system.ident) for provider in card.providers
    )


def _place(card: Card, systems: list[System]) -> int:
    for place, system in enumerate(systems, start=1):
        if _offers(card, system):
            return place
    return len(systems) + 1
