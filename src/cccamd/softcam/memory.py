"""What is remembered of services that were descrambled: for their return, whoever brings it.

tvheadend stops a service before each change of it, and after a reconnect no client but
minisatip sends the ECM that it has: until the next crypto period only a remembered CW opens the
picture (docs/dvbapi-protocol.md sections 7 and 9). Nothing of this is ever written down.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from cccamd.softcam.programme import EcmStream, Streams
from cccamd.values import ControlWords
from cccamd.wire.dvbapi import ServiceId

UNKNOWN_PERIOD: Final = 10.0
"""Seconds that stand in for a crypto period that is not known: the usual one."""
SERVICES_LIMIT: Final = 1024
PER_SERVICE: Final = 8

_Key = tuple[int, int | None, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The last of a service: its ECM, and the CW if there was one."""

    ecm: EcmStream
    section: bytes
    cw: ControlWords | None
    """The last one that the client was told; None: there was none yet."""
    answered: bool
    """Whether it is that section's."""
    pids: tuple[int, ...]
    """The streams that it is for."""
    until: float
    """When it is worth nothing any more."""


class Memory:
    """Shared by all connections of one account."""

    def __init__(self) -> None:
        self._last: OrderedDict[_Key, dict[tuple[Hashable, EcmStream], Remembered]] = OrderedDict()
        self._worked: OrderedDict[_Key, EcmStream] = OrderedDict()

    def keep(self, name: ServiceId, owner: Hashable, last: Remembered) -> None:
        """Remember how a service went on; `owner` is who descrambled it, on which adapter."""
        found = self._last.setdefault(_key(name), {})
        self._last.move_to_end(_key(name))
        found.pop((owner, last.ecm), None)
        found[owner, last.ecm] = last
        while len(found) > PER_SERVICE:
            del found[next(iter(found))]
        while len(self._last) > SERVICES_LIMIT:
            self._last.popitem(last=False)

    def last_of(
        self, name: ServiceId, streams: Streams, owner: Hashable, now: float
    ) -> tuple[Remembered | None, bool]:
        """The newest that opens these streams, and whether it is the owner's own.

        Of the same connection and adapter an ECM of the same CAID is enough: the ECM PID may be
        what has changed. Others must have had the very same ECMs. Where the client does not say
        which network it is, a service of the same number must have a stream in common.
        """
        wanted = {(ecm.caid, ecm.pid) for ecm in streams.ecms}
        caids = {caid for caid, _ in wanted}
        best: Remembered | None = None
        is_own = False
        for (whose, _), last in self._last.get(_key(name), {}).items():
            is_other = name.network is None and not {*last.pids} & {*streams.pids}
            if last.until <= now or is_other:
                continue
            own = whose == owner and last.ecm.caid in caids
            if not own and (last.ecm.caid, last.ecm.pid) not in wanted:
                continue
            if best is None or (own, last.until) >= (is_own, best.until):
                best, is_own = last, own
        return best, is_own

    def worked(self, name: ServiceId, ecm: EcmStream) -> None:
        """An ECM of a service was answered."""
        key = _key(name)
        if self._worked.get(key) != ecm:
            self._worked[key] = ecm
            if len(self._worked) > SERVICES_LIMIT:
                self._worked.popitem(last=False)

    def last_worked(self, name: ServiceId) -> EcmStream | None:
        """The stream whose ECM was answered last."""
        return self._worked.get(_key(name))


def _key(name: ServiceId) -> _Key:
    network = name.network
    if network is None:
        return name.service, None, None
    return name.service, network.tsid, network.onid
