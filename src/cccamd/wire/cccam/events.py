"""What happened on a connection, besides the messages themselves.

Messages (`ClientData`, `CardAdded`, `PartnerText`, ...) are events as they stand.
"""

from dataclasses import dataclass
from typing import NamedTuple

from cccamd.wire.cccam.closing import CloseReason
from cccamd.wire.cccam.controlwords import ControlWords
from cccamd.wire.cccam.messages import EcmRequest, Emm, Nok


@dataclass(frozen=True, slots=True)
class LoginRequested:
    """A client named its account; `authenticate` or `refuse_login` must follow."""

    user: bytes


@dataclass(frozen=True, slots=True)
class LoginSucceeded:
    """The password was right; the peers introduce themselves next."""


@dataclass(frozen=True, slots=True)
class CardsDue:
    """The client is ready for its card list: its partner text came, or will not come."""


class EcmReceived(NamedTuple):
    """A client asks; `answer` or `refuse` must follow with the request id."""

    request_id: int
    request: EcmRequest


@dataclass(frozen=True, slots=True)
class RequestDropped:
    """A client asked more than the queue holds: its oldest request was refused by us."""

    request_id: int


@dataclass(frozen=True, slots=True)
class EmmReceived:
    """A client sent an EMM; it is acknowledged already."""

    emm: Emm


class EcmAnswered(NamedTuple):
    """The server answered our request with a CW."""

    ask_id: int
    cw: ControlWords


class EcmRefused(NamedTuple):
    """The server has no CW for our request."""

    ask_id: int
    nok: Nok


@dataclass(frozen=True, slots=True)
class EmmAcknowledged:
    """The server took our EMM, whatever it does with it."""

    ask_id: int


@dataclass(frozen=True, slots=True)
class KeepaliveReceived:
    """The peer is alive; it was answered already where that is due."""


@dataclass(frozen=True, slots=True)
class ChallengeReceived:
    """The server tests its client (0x05, 0x0A..0x0E); `answered` says whether we could reply."""

    command: int
    answered: bool


@dataclass(frozen=True, slots=True)
class UnexpectedReceived:
    """A message was dropped: its command is unknown, or not for this side or moment."""

    command: int
    length: int


@dataclass(frozen=True, slots=True)
class MalformedReceived:
    """A message was dropped: its payload does not fit its command."""

    command: int
    length: int
    why: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over; nothing more will be sent or understood."""

    reason: CloseReason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason.value} ({self.detail})" if self.detail else self.reason.value
