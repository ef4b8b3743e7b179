"""In which order the cards that fit are asked: what is known of them, and what CCcam.prio says.

Source of the latter: docs/config.md section 4.1.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from cccamd.cards import Card
from cccamd.ids import Caid, Ident, Sid
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
    """It gave no CW for the service last time, or waiting for it would freeze the picture."""
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
            "gave no CW last time, or is slow" if self.failing else "",
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


class _Line(NamedTuple):
    """What a P-line says about one CAID."""

    number: int
    """Its place in the file: the first that matches counts."""
    idents: tuple[Ident, ...]
    """In the order in which they are to be asked; 0: any."""
    needs: frozenset[Ident]
    """Those that must all be there, or the line says nothing."""


_ANY = Ident(0)


class _Orders:
    """The P-lines of one CAID, found by the service and by what the cards there offer.

    Each line stands under the rarest ident that it needs, so that a look-up meets next to no
    line that does not match; a line that needs the same as an earlier one never counts.
    """

    def __init__(self) -> None:
        self._first: dict[Sid, _Line] = {}
        self._lines: dict[tuple[Sid, frozenset[Ident]], _Line] = {}
        self._by_ident: dict[tuple[Sid, Ident], list[_Line]] = {}

    def add(self, number: int, sid: Sid, idents: tuple[Ident, ...]) -> None:
        """Take a line in, in the file's order; `sid` 0: for all services."""
        line = _Line(number, idents, frozenset(ident for ident in idents if ident))
        self._first.setdefault(sid, line)
        self._lines.setdefault((sid, line.needs), line)

    def index(self) -> None:
        """Call it when all lines are there."""
        counts = Counter(ident for _, needs in self._lines for ident in needs)
        for (sid, needs), line in self._lines.items():
            rarest = min(needs, key=counts.__getitem__, default=_ANY)
            self._by_ident.setdefault((sid, rarest), []).append(line)

    def find(self, sid: Sid, offered: Set[Ident]) -> _Line | None:
        """The first line for a service all of whose idents are offered; ident 0 offers all."""
        best: _Line | None = None
        for wanted in {Sid(0), sid}:
            if _ANY in offered:
                found = [self._first[wanted]] if wanted in self._first else []
            else:
                keys = ((wanted, ident) for ident in (_ANY, *offered))
                found = [line for key in keys for line in self._by_ident.get(key, ())]
            for line in found:
                nearer = best is None or line.number < best.number
                if nearer and (_ANY in offered or line.needs <= offered):
                    best = line
        return best


@dataclass(frozen=True, slots=True)
class Priorities:
    """CCcam.prio as plain values.

    Files with thousands of lines exist: they are indexed once, so that a request meets only
    those that may concern it.
    """

    ignored: tuple[Service, ...] = ()
    """I-lines: requests for these are never passed on to an upstream. Here and below, ident 0
    and sid 0 mean all."""
    orders: tuple[tuple[Service, ...], ...] = ()
    """P-lines, in the file's order; a sid on the first entry limits its line to that service."""
    _ignored: dict[tuple[Caid, Sid], set[Ident]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _orders: dict[Caid, _Orders] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    @classmethod
    def of(cls, ignored: Iterable[Service], orders: Iterable[Iterable[Service]]) -> "Priorities":
        """Take the entries as CCcam.prio has them."""
        return cls(ignored=tuple(ignored), orders=tuple(tuple(line) for line in orders))

    def __post_init__(self) -> None:
        for caid, ident, sid in self.ignored:
            self._ignored.setdefault((caid, sid), set()).add(ident)
        for number, line in enumerate(self.orders):
            for caid in {system.caid for system in line}:
                idents = tuple(system.ident for system in line if system.caid == caid)
                self._orders.setdefault(caid, _Orders()).add(number, line[0].sid, idents)
        for orders in self._orders.values():
            orders.index()

    def ignores(self, card: Card, service: Service) -> bool:
        """Whether a request must not be passed on to the card's source."""
        if card.hop == 0:
            return False
        caid, ident, sid = service
        always, here = self._ignored.get((caid, _ALL)), self._ignored.get((caid, sid))
        idents = [each for each in (always, here) if each]
        if not idents or any(_ANY in each for each in idents):
            return bool(idents)
        asked = (ident,) if ident else tuple(provider.ident for provider in card.providers)
        return all(any(one in each for each in idents) for one in asked)

    def order(self, cards: Collection[Card], service: Service) -> dict[Card, int]:
        """Each card's place in the first P-line that matches, counted from 1; {}: none does.

        Requests that name their provider need no order: all cards that fit offer the same.
        """
        caid, ident, sid = service
        if ident or caid >> 8 == CAIDS_WITHOUT_IDENT or caid not in self._orders or not cards:
            return {}
        offered = {provider.ident for card in cards for provider in card.providers}
        line = self._orders[caid].find(sid, offered)
        return {} if line is None else {card: _place(card, line.idents) for card in cards}


_ALL = Sid(0)


def _place(card: Card, idents: tuple[Ident, ...]) -> int:
    offered = {provider.ident for provider in card.providers}
    for place, ident in enumerate(idents, start=1):
        if not ident or ident in offered or _ANY in offered:
            return place
    return len(idents) + 1
