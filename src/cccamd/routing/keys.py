"""What makes two requests alike, and how an ask can fail."""

from enum import Enum

from cccamd.ids import Caid, Ident, Sid

Service = tuple[Caid, Ident, Sid]
"""What a refusal or an answer time is remembered for."""
EcmKey = tuple[Caid, Ident, bytes]
"""CAID, provider, section: what makes two ECMs the same."""


class Refusal(Enum):
    """How an ask ended without a CW."""

    NOT_DECODED = "cannot decode the service"
    """NOK2: the card cannot decode this service."""
    PASSING = "trouble that passes"
    """NOK1, sleep, a time-out of the link: worth another try later."""
    NOT_SENT = "not sent"
    """The caller dropped it before it went out: nothing is known about the card."""
