"""Control words that were told lately, by which cards, and which of them are wrong."""

from collections import OrderedDict
from dataclasses import dataclass

from cccamd.routing.actions import Known, Store, Told, Wanted
from cccamd.routing.trace import Result
from cccamd.values import ControlWords, Fingerprint, Outcome, Service

_new = tuple.__new__  # half the price of calling the class, where one is made for every ECM
SERVICES_LIMIT = 2000
"""A bound for memory: the oldest service is forgotten."""


@dataclass(slots=True)
class _Last:
    fingerprint: Fingerprint
    raw: bytes
    constant: bool = False
    """Whether the service has the same CW in every period: then repeating is right."""


class Verification:
    """Looks at each CW, and remembers the last right one of each service."""

    def __init__(self, *, check_checksums: bool) -> None:
        self.check_checksums = check_checksums
        """May be changed at any time."""
        self._last: OrderedDict[Service, _Last] = OrderedDict()

    def flaw(self, service: Service, fingerprint: Fingerprint, cw: ControlWords) -> Outcome | None:
        """What is wrong with an answer, if it shows."""
        if cw.is_zero:
            return Outcome.ZERO
        if self.check_checksums and not cw.checksums_valid:
            return Outcome.CHECKSUM
        last = self._last.get(service)
        if last and last.raw == cw.raw and not last.constant and last.fingerprint != fingerprint:
            return Outcome.REPEATED
        return None

    def accept(self, service: Service, fingerprint: Fingerprint, cw: ControlWords) -> None:
        """Remember a CW that was taken for right, also after a suspicion."""
        if not service.sid:
            # Without a service nothing says which ECM follows which.
            return
        last = self._last.get(service)
        if last is None:
            if len(self._last) >= SERVICES_LIMIT:
                self._last.popitem(last=False)
            self._last[service] = _Last(fingerprint, cw.raw)
        elif last.fingerprint != fingerprint:
            last.constant = last.raw == cw.raw
            last.fingerprint, last.raw = fingerprint, cw.raw


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

    def answer(self, wanted: Wanted, now: float) -> Told | None:
        """The answer to an ECM, if it is still fresh and this client may have it."""
        entry = self._entries.get(wanted[1])
        if entry is None or entry[1] <= now:
            return None
        cw, cards, log = entry[0]
        ids = wanted[2].ids
        for card in cards:
            if card.id in ids:
                return _new(Told, (wanted, cw, card, log, Result.CACHED, now))
        return None

    def put(self, store: Store, now: float) -> None:
        """Keep an answer. A second card that says the same widens who may have it."""
        fingerprint, card, cw, log = store
        entries = self._entries
        entry = entries.get(fingerprint)
        if entry and entry[1] > now:
            known, expires_at = entry
            if known.cw == cw:
                entries[fingerprint] = known._replace(cards=(*known.cards, card)), expires_at
            return
        if entry:
            del entries[fingerprint]
        elif len(entries) >= self._limit:
            entries.popitem(last=False)
        entries[fingerprint] = Known(cw, (card,), log), now + self._lifetime
