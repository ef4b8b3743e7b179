"""What is told of a recorded session: one record for each thing that was said or happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None


class Sender(Enum):
    """Who said it; the value is for people."""

    CLIENT = "client"
    SERVER = "server"
    NOBODY = ""
    """It was not said, but happened."""


class Kind(Enum):
    """What it is; the value names it in JSON."""

    CONNECTED = "connected"
    SEED = "seed"
    LOGIN = "login"
    LOGIN_ACCEPTED = "login accepted"
    LOGIN_REFUSED = "login refused"
    WHO = "who"
    PROTOCOL = "protocol"
    CARD = "card"
    CARD_REMOVED = "card removed"
    ECM = "ecm"
    ANSWER = "answer"
    EMM = "emm"
    EMM_ANSWER = "emm answer"
    SERVICE = "service"
    STOP = "stop"
    FILTER = "filter"
    KEEPALIVE = "keepalive"
    TEXT = "text"
    MESSAGE = "message"
    """Something else of the protocol."""
    CLOSED = "closed"
    UNREAD = "unread"
    """What cannot be read, and why."""
    OTHER = "other"
    """A connection that speaks none of the protocols."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that was said or happened."""

    at: float
    """Seconds since 1970."""
    connection: int
    sender: Sender
    kind: Kind
    text: str
    """For people; may hold what peers call themselves."""
    facts: Mapping[str, Json] = field(default_factory=dict)
    """The same for programs. Ids are the texts that people know."""


class Tell(Protocol):
    """Takes what a reader found out; who reads it knows when and in which connection."""

    def __call__(self, sender: Sender, kind: Kind, text: str, **facts: Json) -> None: ...


class SessionReader(Protocol):
    """Reads both directions of one connection, as they come."""

    def receive(self, sender: Sender, data: bytes, at: float) -> None:
        """Take in what one side sent."""

    def miss(self, sender: Sender, length: int) -> None:
        """So many bytes of one side are not in the capture; tell what that means."""

    def end(self, sender: Sender) -> None:
        """One side has ended it; tell what that means."""
