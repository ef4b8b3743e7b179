"""In which order the cards that fit are asked."""

from typing import NamedTuple

from cccamd.cards import Card
from cccamd.routing.health import Health
from cccamd.routing.keys import Service
from cccamd.routing.patience import FREEZE

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
