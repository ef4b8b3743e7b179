"""Who we are, whom we log in to, and the protocol object of each attempt."""

from dataclasses import dataclass, field, replace
from typing import Final

from cccamd.ids import NodeId
from cccamd.wire.cccam.client import ClientProtocol
from cccamd.wire.cccam.protocol import ANSWER_TIMEOUT, LOGIN_TIMEOUT
from cccamd.wire.cccam.versions import DEFAULT_VERSION, Version

CHECK_FREE_VERSION: Final = Version(2, 0, 11)
"""Original servers do not test clients that announce it (docs/protocol.md section 5, 0x0E)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are to other programs."""

    node_id: NodeId
    program: str
    """Our name in partner texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server to log in to, and how."""

    host: str
    port: int
    user: bytes
    password: bytes = field(repr=False)
    version: Version = DEFAULT_VERSION
    """What we announce; below 2.2.0 makes both sides speak v1."""
    want_emus: bool = False
    login_timeout: float = LOGIN_TIMEOUT
    answer_timeout: float = ANSWER_TIMEOUT


class Caller:
    """Makes the protocol object of each attempt to log in at one server."""

    def __init__(self, target: Target, identity: Identity) -> None:
        self._target = target
        self._identity = identity
        self._last: ClientProtocol | None = None

    def __call__(self, now: float) -> ClientProtocol:
        """Begin an attempt; a server that tested us last time is told a version it does not."""
        if self._last is not None and self._last.is_checked:
            self._target = replace(self._target, version=CHECK_FREE_VERSION)
        target = self._target
        self._last = ClientProtocol(
            user=target.user,
            password=target.password,
            node_id=self._identity.node_id,
            program=self._identity.program,
            now=now,
            version=target.version,
            want_emus=target.want_emus,
            login_timeout=target.login_timeout,
            answer_timeout=target.answer_timeout,
        )
        return self._last
