"""A card list as it was at one moment, of which the next one shares nearly all.

A list may hold a hundred thousand offers, and another state of it is shown for each thousand that
change. Copied as a whole each time it would stop answers for milliseconds, and the collector would
go through each copy besides. So it is held in parts, and only those are copied in which something
has changed.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cccamd.ids import ShareId
from cccamd.values import Offer

PART_BITS: Final = 9
"""Share ids that differ in so many of their last bits only are in one part: some hundred cards, for
they are numbered one after the other."""


class Offers(Mapping[ShareId, Offer]):
    """Offers by share id; never changes."""

    __slots__ = ("_length", "parts")

    def __init__(self, parts: Mapping[int, dict[ShareId, Offer]] | None = None) -> None:
        """`parts` are not changed any more by whoever gives them."""
        self.parts = parts or {}
        """By the first bits of the share ids."""
        self._length = sum(map(len, self.parts.values()))

    def __getitem__(self, share_id: ShareId) -> Offer:
        return self.parts[share_id >> PART_BITS][share_id]

    def __contains__(self, share_id: object) -> bool:
        if not isinstance(share_id, int):
            return False
        part = self.parts.get(share_id >> PART_BITS)
        return part is not None and share_id in part

    def __iter__(self) -> Iterator[ShareId]:
        for part in self.parts.values():
            yield from part

    def __len__(self) -> int:
        return self._length

    def changed(self, touched: Iterable[ShareId], now: Mapping[ShareId, Offer]) -> "Offers":
        """The list in which all that was touched is as it is now; what is not there now is gone."""
        parts = dict(self.parts)
        copied: set[int] = set()
        for share_id in touched:
            number = share_id >> PART_BITS
            if number not in copied:
                copied.add(number)
                parts[number] = dict(parts.get(number, ()))
            offer = now.get(share_id)
            if offer is None:
                parts[number].pop(share_id, None)
            else:
                parts[number][share_id] = offer
        for number in copied:
            if not parts[number]:
                del parts[number]
        return Offers(parts)


Part = Mapping[ShareId, Offer]
_NO_PART: Final[Part] = {}


def differing_parts(old: Part, new: Part) -> Iterator[tuple[Part, Part]]:
    """What two lists have below the same share ids, old and new, without what they share: whoever
    looks for a difference among 100,000 would look for long until there is one."""
    if not (isinstance(old, Offers) and isinstance(new, Offers)):
        yield old, new
        return
    for number in (*old.parts, *(number for number in new.parts if number not in old.parts)):
        told, now = old.parts.get(number, _NO_PART), new.parts.get(number, _NO_PART)
        if told is not now:
            yield told, now
