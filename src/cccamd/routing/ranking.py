"""In which order the cards that fit are asked."""

from typing import NamedTuple

from cccamd.cards import Card
from cccamd.routing.health import Health
from cccamd.routing.keys import Service

WAIT_STEP = 0.05
"""Seconds: a smaller difference between two answer times is noise."""
HOP_TIME = 0.15
"""What one hop is thought to take until it was measured."""


class Rank(NamedTuple):
    """Why a card stands where it stands: the smaller, the earlier; the first difference counts."""

    standby: int
    """0: its source serves; else its place among those that stand by."""
    failing: bool
    """It refused the service last time, or its source is late right now."""
    order: int
    """Its place in a P-line of CCcam.prio; 0: none applies."""
    remote: bool
    wait: int
    """The usual answer time, in steps of `WAIT_STEP`."""
    hop: int
    source: int
    share_id: int

    @property
    def seconds(self) -> float:
        """The usual answer time."""
        return self.wait * WAIT_STEP

    @property
    def text(self) -> str:
        """A sentence for people."""
        parts = [
            f"stands by, number {self.standby}" if self.standby else "",
            "refused or late lately" if self.failing else "",
            f"place {self.order} in the P-line" if self.order else "",
            f"hop {self.hop}" if self.remote else "local",
            f"answers within {1000 * self.seconds:.0f} ms as a rule",
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
    wait = HOP_TIME * card.hop if usual is None else usual
    return Rank(
        standby=health.place(card, now),
        failing=refused or source.overdue > 0,
        order=order,
        remote=card.hop > 0,
        wait=int(wait / WAIT_STEP) + 1,
        hop=card.hop,
        source=card.source,
        share_id=card.share_id,
    )
