"""What only newcamd knows, for the log."""

from dataclasses import dataclass

from cccamd.ids import Caid, Ident, format_caid, format_ident
from cccamd.wire.link import Remark
from cccamd.wire.newcamd.messages import Command


@dataclass(frozen=True, slots=True)
class KeepaliveReceived(Remark):
    """The peer is alive; it was answered already where that is due."""

    is_routine = True

    def __str__(self) -> str:
        return "a sign of life"


@dataclass(frozen=True, slots=True)
class CardDataSent(Remark):
    """A client was told its card."""

    text: str

    def __str__(self) -> str:
        return f"was told its card: {self.text}"


@dataclass(frozen=True, slots=True)
class OtherCard(Remark):
    """An ECM of a card that this port is not for was refused at once."""

    caid: Caid
    ident: Ident

    def __str__(self) -> str:
        named = f"{format_caid(self.caid)}:{format_ident(self.ident)}"
        return f"asks for {named}, which this port is not for: refused"


@dataclass(frozen=True, slots=True)
class MessageIgnored(Remark):
    """A command that we have no use for, or that is not for this side."""

    command: int
    length: int

    def __str__(self) -> str:
        known = self.command in Command.__members__.values()
        name = f" ({Command(self.command).name.lower().replace('_', ' ')})" if known else ""
        return f"command 0x{self.command:02X}{name} of {self.length} bytes ignored"


@dataclass(frozen=True, slots=True)
class TooManyRequests(Remark):
    """A request over the bound was refused at once."""

    pending: int

    def __str__(self) -> str:
        return f"asks while {self.pending} requests are open: refused"


@dataclass(frozen=True, slots=True)
class OneAtATime(Remark):
    """The server finds nothing while another request is open: it is asked one at a time."""

    is_news = True

    def __str__(self) -> str:
        return "finds no ECM while another one is open: it is asked one at a time from now on"


@dataclass(frozen=True, slots=True)
class AnswerWithoutRequest(Remark):
    """An answer to nothing that waits: it came too late, or twice."""

    sequence: int

    def __str__(self) -> str:
        return f"an answer with number {self.sequence}, which nothing waits for"
