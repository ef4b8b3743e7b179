"""What a dvbapi client's connection tells, beyond `Closed`."""

from dataclasses import dataclass
from enum import Enum

from cccamd.wire.dvbapi.capmt import CaPmt
from cccamd.wire.dvbapi.messages import ALL_SERVICES, Channel
from cccamd.wire.link import Closed, Remark


@dataclass(frozen=True, slots=True)
class ClientIntroduced:
    """The client said who it is and which version it speaks; `introduce` must follow.

    It may come again, and after services were listed.
    """

    version: int
    """1 or more, as the client says it: 3 is the greatest that means something."""
    text: str


@dataclass(frozen=True, slots=True)
class ServiceListed:
    """The client lists, changes or ends a service: what follows, its list management says."""

    channel: Channel
    """How messages for this service are addressed from now on."""
    pmt: CaPmt


@dataclass(frozen=True, slots=True)
class Stopped:
    """The client ends services; which, docs/dvbapi-protocol.md, section 7 tells."""

    number: int

    @property
    def is_all(self) -> bool:
        """Whether all services of this connection end."""
        return self.number == ALL_SERVICES


@dataclass(frozen=True, slots=True)
class SectionReceived:
    """A section came through a filter that is set."""

    demux: int
    filter: int
    section: bytes


class LocalDemuxProgram(Enum):
    """Programs that let the softcam open the demultiplexer; the value is the name."""

    MUMUDVB = "MuMuDVB"
    ENIGMA2 = "Enigma2"


@dataclass(frozen=True, slots=True)
class LocalDemuxExpected:
    """The client sends no sections: it expects us to open its DVB devices, which we do not.

    Told once, before the service by which it was noticed. What it does not understand is not
    sent to it any more.
    """

    program: LocalDemuxProgram

    def __str__(self) -> str:
        return (
            f"{self.program.value} expects its softcam to read the DVB devices of its machine,"
            " which cccamd does not do: it will get no control words here. Programs that send"
            " their ECMs over dvbapi are served: tvheadend, minisatip, VDR (docs/dvbapi.md)"
        )


@dataclass(frozen=True, slots=True)
class MessageIgnored(Remark):
    """A message was dropped: what is in it makes no sense."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"malformed {self.name} ignored: {self.why}"


@dataclass(frozen=True, slots=True)
class SectionIgnored(Remark):
    """A section was dropped: too short, or of a filter that is not set (any more)."""

    demux: int
    filter: int
    length: int

    is_routine = True

    def __str__(self) -> str:
        return (
            f"a section of {self.length} bytes for demux {self.demux}, filter {self.filter} ignored"
        )


DvbapiEvent = (
    ClientIntroduced
    | ServiceListed
    | Stopped
    | SectionReceived
    | LocalDemuxExpected
    | Remark
    | Closed
)
"""What a dvbapi client's connection may tell."""
