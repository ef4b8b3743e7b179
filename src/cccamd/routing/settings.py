"""What an owner may set about routing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSettings:
    """Times are in seconds."""

    deadline: float = 4.5
    """A request is answered by then, with a CW or without: clients give up after 3 to 5."""
    cw_lifetime: float = 15.0
    """How long an answer is kept: one crypto period and some of the next."""
    cache_limit: int = 2000
    check_checksums: bool = True
    """Whether a CW with wrong checksum bytes is a wrong CW."""
    hedge_share: float = 0.1
    """How many requests, at most, are asked of a second card only because the first is late."""
