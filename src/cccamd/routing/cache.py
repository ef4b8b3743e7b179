"""Control words that were told lately, and by which cards."""

from collections import OrderedDict
from dataclasses import dataclass

from cccamd.cards import Card
from cccamd.routing.keys import EcmKey
from cccamd.routing.trace import Log
from cccamd.wire.cccam import ControlWords


@dataclass(slots=True)
class CacheEntry:
    """One answer. It is for those who may see one of the cards that gave it."""

    cw: ControlWords
    cards: list[Card]
    log: Log
    expires_at: float


class CwCache:
    """A bounded cache; all entries live equally long, so the oldest is the first to go."""

    def __init__(self, *, limit: int, lifetime: float) -> None:
        self._limit = limit
        self._lifetime = lifetime
        self._entries: OrderedDict[EcmKey, CacheEntry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: EcmKey, now: float) -> CacheEntry | None:
        """The answer to an ECM, if it is still fresh."""
        entry = self._entries.get(key)
        return entry if entry and entry.expires_at > now else None

    def put(self, key: EcmKey, card: Card, cw: ControlWords, log: Log, now: float) -> None:
        """Keep an answer. A second card that says the same widens who may have it."""
        entries = self._entries
        entry = entries.get(key)
        if entry and entry.expires_at > now:
            if entry.cw == cw:
                entry.cards.append(card)
            return
        if entry:
            del entries[key]
        elif len(entries) >= self._limit:
            entries.popitem(last=False)
        entries[key] = CacheEntry(cw, [card], log, now + self._lifetime)
