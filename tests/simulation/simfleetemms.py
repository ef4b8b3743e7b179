"""What is broadcast to keep cards up to date in a run of a fleet, and what becomes of it."""

import random
from collections import Counter
from typing import TYPE_CHECKING, Final

from cccamd.ids import Ident
from cccamd.values import Emm

if TYPE_CHECKING:
    from simfleet import FleetWorld
    from simfleetcast import FleetCard, Viewer

OFTEN: Final = 0.6
"""How likely a viewer hears one in a period."""
SOON: Final = 1.0
"""Seconds after which an EMM is at its card when all is well: it may stand behind an ECM."""


class Carousel:
    """Viewers hear it, and send what is for a card to that card."""

    def __init__(self, world: "FleetWorld") -> None:
        self._world = world
        self._chances = [random.Random(f"{world.seed} emms {n}") for n in range(20)]
        self._sent: dict[tuple[int, bytes], tuple[float, str]] = {}
        """When and by whom an EMM was sent first, by its card."""
        self._taken: Counter[tuple[int, bytes]] = Counter()

    def heard(self, viewer: "Viewer", period: int) -> None:
        """A viewer may have heard one."""
        chance, world = self._chances[viewer.number], self._world
        by_origin = {bytes(card.node_id): card.number for card in world.cards}
        seen = [
            (by_origin[bytes(offer.path[0])], offer)
            for offer in viewer.cards.values()
            if offer.path and bytes(offer.path[0]) in by_origin
        ]
        if chance.random() > OFTEN or not seen or viewer.connection is None:
            return
        number, offer = chance.choice(sorted(seen, key=lambda each: each[1].share_id))
        whose = chance.choice((0, 1 + viewer.number))  # the same for all, or for this one's ears
        section = bytes((0x82, 0x70, 4, number, whose)) + period.to_bytes(2)
        world.books.note("EMM sent", number, section)
        self._sent.setdefault((number, section), (world.loop.time(), viewer.user))
        emm = Emm(offer.caid, Ident(1), offer.share_id, section)
        viewer.protocol.send_emm(1_000_000, emm, world.loop.time())
        viewer.connection.flush()

    def arrived(self, card: "FleetCard", section: bytes) -> None:
        """A card got one."""
        books, key = self._world.books, (card.number, section)
        books.note("EMM taken", card.number, section)
        if key not in self._sent:
            books.blame(f"card {card.number} got the EMM {section.hex()}, which is not for it")
        self._taken[key] += 1

    def judge(self, since: float) -> None:
        """Of what was sent since a time, when all was well, all came, and no more often than once
        by each node that is logged in to the card."""
        world = self._world
        for (number, section), (at, user) in self._sent.items():
            if not since <= at < world.loop.time() - SOON:
                continue
            ways = sum(number in {card.number for card in node.cards} for node in world.nodes)
            times = self._taken[number, section]
            if not 1 <= times <= ways:
                what = f"{times} times, with {ways} ways to it"
                world.books.blame(f"card {number} got the EMM {section.hex()} of {user} {what}")
