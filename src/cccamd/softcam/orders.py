"""What a softcam tells its caller to do, and how it names what it means: values only.

Orders for the client are in the order in which it has to get them; those of one call belong in
one write. Source: docs/dvbapi-protocol.md sections 7 to 10.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NewType

from cccamd.ids import Caid, ShareId, Sid
from cccamd.softcam.programme import EcmStream
from cccamd.values import Request
from cccamd.wire.dvbapi import Channel, Parity, SectionMatch, ServiceId

if TYPE_CHECKING:
    from cccamd.softcam.selected import Selected

ServiceNumber = NewType("ServiceNumber", int)
"""One service of one connection, from its listing to its end; never used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredBy:
    """Who gave a CW, as the client may be told: nobody's address."""

    reader: str = ""
    """The card."""
    source: str = ""
    """Where it is, or "cache"."""
    protocol: str = ""
    hops: int = 0


class SetFilter(NamedTuple):
    """Have the client send sections of a PID; the same numbers again replace what was set."""

    channel: Channel
    demux: int
    filter: int
    pid: int
    match: SectionMatch


class StopFilter(NamedTuple):
    """No sections any more."""

    channel: Channel
    demux: int
    filter: int
    pid: int


class SetPid(NamedTuple):
    """Let a stream be descrambled with the keys of an index."""

    channel: Channel
    pid: int
    key: int
    """The index."""


class RemovePid(NamedTuple):
    """Descramble a stream no more."""

    channel: Channel
    pid: int


@dataclass(frozen=True, slots=True, repr=False)
class SetHalf:
    """Give an index the key of one parity. Never shows it."""

    channel: Channel
    key: int
    parity: Parity
    cw: bytes
    """8 bytes."""

    def __repr__(self) -> str:
        return f"SetHalf({self.channel}, {self.key}, {self.parity.name}, ...)"


class TellEcm(NamedTuple):
    """Say how the last ECM went."""

    channel: Channel
    sid: Sid
    ecm: EcmStream
    seconds: float
    by: AnsweredBy


class Ask(NamedTuple):
    """Find the CW of an ECM; `answered` or `refused` must follow with the token."""

    token: int
    service: ServiceNumber
    ecm: EcmStream
    request: Request


class Forget(NamedTuple):
    """Nobody waits for this any more."""

    token: int


class PassEmm(NamedTuple):
    """An EMM for a card came with a service."""

    service: ServiceNumber
    card: ShareId
    caid: Caid
    section: bytes


class Began(NamedTuple):
    """A service is to be descrambled from now on."""

    service: ServiceNumber
    selected: "Selected"
    """To be looked at."""


class Ended(NamedTuple):
    """A service is not wanted any more."""

    service: ServiceNumber


class TooMany(NamedTuple):
    """A service was not taken: the connection has as many as it may."""

    identity: ServiceId


ClientOrder = SetFilter | StopFilter | SetPid | RemovePid | SetHalf | TellEcm
"""For the client."""
Order = ClientOrder | Ask | Forget | PassEmm | Began | Ended | TooMany
