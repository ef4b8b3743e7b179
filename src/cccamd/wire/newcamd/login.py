"""Whom we log in to, and the protocol object of each attempt."""

from dataclasses import dataclass, field
from typing import Final

from cccamd.wire.newcamd.client import STEP_TIMEOUT, NewcamdClient
from cccamd.wire.newcamd.frames import MESSAGE_LIMIT, Random
from cccamd.wire.newcamd.keys import hash_password

REMEMBERED_FOR: Final = 3600.0
"""Seconds for which a server is not sent what it closed a connection over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewcamdTarget:
    """A server to log in to, and how."""

    host: str
    port: int
    user: bytes
    password: bytes = field(repr=False)
    config_key: bytes = field(repr=False)
    """14 bytes."""
    step_timeout: float = STEP_TIMEOUT


class NewcamdCaller:
    """Makes the protocol object of each attempt to log in at one server."""

    def __init__(self, target: NewcamdTarget, random: Random) -> None:
        self._target = target
        self._random = random
        self._hashed = b""
        """Made once: it takes a millisecond, and a server that is away is tried for ever."""
        self._last: NewcamdClient | None = None
        self._too_long: int | None = None
        self._until = 0.0

    def __call__(self, now: float) -> NewcamdClient:
        """Begin an attempt, with what the last one taught of how long a message may be."""
        if self._last is not None and self._last.too_long is not None:
            self._too_long, self._until = self._last.too_long, now + REMEMBERED_FOR
        if now >= self._until:
            self._too_long = None
        target = self._target
        self._hashed = self._hashed or hash_password(target.password)
        self._last = NewcamdClient(
            user=target.user,
            hashed=self._hashed,
            config_key=target.config_key,
            random=self._random,
            now=now,
            message_limit=MESSAGE_LIMIT if self._too_long is None else self._too_long - 1,
            step_timeout=target.step_timeout,
        )
        return self._last
