"""What only this protocol knows, for the log."""

from dataclasses import dataclass

from cccamd.wire.cccam.frames import Command, command_name
from cccamd.wire.link import Remark


@dataclass(frozen=True, slots=True)
class KeepaliveReceived(Remark):
    """The peer is alive; it was answered already where that is due."""

    is_routine = True

    def __str__(self) -> str:
        return "a sign of life"


@dataclass(frozen=True, slots=True)
class ChallengeReceived(Remark):
    """The server tests its client (0x05, 0x0A..0x0E); `answered` says whether we could reply."""

    command: int
    answered: bool

    is_news = True

    def __str__(self) -> str:
        if self.command == Command.CLIENT_CHECK_0E:
            return "checks its clients (0x0E); if it drops us we come back as 2.0.11"
        done = "answered" if self.answered else "not answered"
        return f"old server's challenge 0x{self.command:02X} {done}"


@dataclass(frozen=True, slots=True)
class UnexpectedReceived(Remark):
    """A message was dropped: its command is unknown, or not for this side or moment."""

    command: int
    length: int

    def __str__(self) -> str:
        return f"{command_name(self.command)} of {self.length} bytes ignored"


@dataclass(frozen=True, slots=True)
class MalformedReceived(Remark):
    """A message was dropped: its payload does not fit its command."""

    command: int
    length: int
    why: str

    def __str__(self) -> str:
        return f"malformed {command_name(self.command)} ignored: {self.why}"
