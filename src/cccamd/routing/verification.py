"""Which control words are wrong, as far as they show it themselves."""

from dataclasses import dataclass
from enum import Enum

from cccamd.routing.keys import EcmKey, Service
from cccamd.wire.cccam import ControlWords

SERVICES_LIMIT = 2000
"""A bound for memory: the oldest service is forgotten."""


class Flaw(Enum):
    """What is wrong with a CW."""

    ZERO = "all zero"
    CHECKSUM = "wrong checksum"
    REPEATED = "the CW of the period before"


@dataclass(slots=True)
class _Last:
    key: EcmKey
    raw: bytes
    constant: bool = False
    """Whether the service has the same CW in every period: then repeating is right."""


class Verification:
    """Looks at each CW, and remembers the last right one of each service."""

    def __init__(self, *, check_checksums: bool) -> None:
        self._check_checksums = check_checksums
        self._last: dict[Service, _Last] = {}

    def flaw(self, service: Service, key: EcmKey, cw: ControlWords) -> Flaw | None:
        """What is wrong with an answer, if it shows."""
        if cw.is_zero:
            return Flaw.ZERO
        if self._check_checksums and not cw.checksums_valid:
            return Flaw.CHECKSUM
        last = self._last.get(service)
        if last and last.raw == cw.raw and not last.constant and last.key != key:
            return Flaw.REPEATED
        return None

    def accept(self, service: Service, key: EcmKey, cw: ControlWords) -> None:
        """Remember a CW that was taken for right, also after a suspicion."""
        if not service[2]:
            # Without a service nothing says which ECM follows which.
            return
        last = self._last.get(service)
        if last is None:
            if len(self._last) >= SERVICES_LIMIT:
                del self._last[next(iter(self._last))]
            self._last[service] = _Last(key, cw.raw)
        elif last.key != key:
            last.constant = last.raw == cw.raw
            last.key, last.raw = key, cw.raw
