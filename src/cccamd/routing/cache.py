"""Control words that were told lately, and by which cards."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from cccamd.routing.actions import Known, Store, Told, Wanted
from cccamd.routing.trace import Result
from cccamd.values import Fingerprint

_new = tuple.__new__  # half the price of calling the class, where one is made for every ECM
_CACHED: Final = Result.CACHED
OVER_AT_ONCE = 2
"""Answers that are over and go when one comes."""
NAMES_LIMIT = 16
"""Services for which one ECM may be asked; what goes beyond that is made up."""


class CwCache:
    """A bounded cache; all entries live equally long, so the oldest is the first to go."""

    def __init__(self, *, limit: int = 2000, lifetime: float = 15.0) -> None:
        """`lifetime` in seconds: one crypto period and some of the next."""
        self._limit = limit
        self._lifetime = lifetime
        # With the time at which each expires.
        self._entries: OrderedDict[Fingerprint, tuple[Known, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def resize(self, *, limit: int, lifetime: float, now: float) -> None:
        """Keep so many from now on, for so long; what is kept longer than that is forgotten."""
        entries = self._entries
        if lifetime < self._lifetime:
            for fingerprint, (known, expires_at) in entries.items():
                entries[fingerprint] = known, min(expires_at, now + lifetime)
        self._limit, self._lifetime = limit, lifetime
        while len(entries) > limit:
            entries.popitem(last=False)

    def answer(self, wanted: Wanted, now: float, vouches: Callable[[Told], bool]) -> Told | None:
        """The answer to an ECM, if it is still fresh and this client may have it; `vouches` (the
        router's) is asked when it was not told for this service before."""
        entry = self._entries.get(wanted[1])
        if entry is None or entry[1] <= now:
            return None
        cw, cards, log, sids = entry[0]
        ids, sid = wanted[2].ids, wanted[0][3]
        for card in cards:
            if card.id in ids:
                told = _new(Told, (wanted, cw, card, log, _CACHED, now))
                return told if sid in sids or self._may_name(told, vouches) else None
        return None

    def _may_name(self, told: Told, vouches: Callable[[Told], bool]) -> bool:
        """Tell an answer for one more service, if that is right."""
        if not vouches(told):
            return False
        request, fingerprint = told.wanted[:2]
        known, expires_at = self._entries[fingerprint]
        if len(known.sids) < NAMES_LIMIT:
            known = known._replace(sids=(*known.sids, request.sid))
            self._entries[fingerprint] = known, expires_at
        return True

    def _make_room(self, now: float) -> None:
        """For one more; what is over goes, too, two at a time: it gets less however much there was.

        Else it would be kept, with how it was found, until there are so many as the limit says.
        """
        entries = self._entries
        for _ in range(OVER_AT_ONCE):
            if not entries:
                return
            _, expires_at = entries[next(iter(entries))]
            if expires_at > now and len(entries) < self._limit:
                return
            entries.popitem(last=False)

    def put(self, store: Store, now: float) -> None:
        """Keep an answer. A second card that says the same widens who may have it."""
        fingerprint, card, cw, log, sids, corrects, _ = store
        entries = self._entries
        entry = entries.get(fingerprint)
        if entry and entry[1] > now:
            known, expires_at = entry
            if known.cw == cw:
                if card not in known.cards:
                    known = known._replace(cards=(*known.cards, card))
                if sids != known.sids:
                    known = known._replace(sids=tuple({*known.sids, *sids})[:NAMES_LIMIT])
                entries[fingerprint] = known, expires_at
                return
            if not corrects:
                return
        if entry:
            del entries[fingerprint]
        else:
            self._make_room(now)
        entries[fingerprint] = Known(cw, (card,), log, sids), now + self._lifetime
