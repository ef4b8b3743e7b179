"""Names of machines: open a connection to a server by its name, tell whether one has called us."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cccamd.errors import NumberError
from cccamd.ids import NodeId, format_endpoint, parse_address, unwrap_address
from cccamd.net.connection import Connection
from cccamd.net.failures import ConnectError, Step, explain_connect_error
from cccamd.wire.cccam import DEFAULT_VERSION, ClientProtocol, Version

CONNECT_TIMEOUT: Final = 5.0
RESOLVE_TIMEOUT: Final = 1.5
"""Clients wait two seconds for the answer to their login (docs/protocol.md section 13.6)."""


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
    login_timeout: float = 10.0
    answer_timeout: float = 8.0

    @property
    def address(self) -> str:
        """Host and port as in the C-line."""
        return format_endpoint(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are to other programs."""

    node_id: NodeId
    program: str
    """Our name in partner texts."""


async def comes_from(host: str, address: str) -> bool:
    """Whether an address is that of a host.

    Names are resolved each time (docs/config.md section 3.1), because they change; one that
    cannot be resolved has no address.
    """
    try:
        return parse_address(host) == parse_address(address)
    except NumberError:
        pass
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return address in {unwrap_address(str(sockaddr[0])) for *_, sockaddr in found}


async def dial(
    target: Target,
    *,
    identity: Identity,
    handle: Callable[[object], None],
    on_failure: Callable[[str, BaseException], None],
) -> Connection[ClientProtocol]:
    """Resolve the name, connect, and leave the login to the protocol object.

    Raises:
        ConnectError: there is no TCP connection; says which step failed.
    """
    loop = asyncio.get_running_loop()

    def connection() -> Connection[ClientProtocol]:
        protocol = ClientProtocol(
            user=target.user,
            password=target.password,
            node_id=identity.node_id,
            program=identity.program,
            now=loop.time(),
            version=target.version,
            want_emus=target.want_emus,
            login_timeout=target.login_timeout,
            answer_timeout=target.answer_timeout,
        )
        return Connection(protocol, handle, on_failure=on_failure)

    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, opened = await loop.create_connection(connection, target.host, target.port)
    except UnicodeError as error:  # a label that is empty or too long for a name
        detail = f"{target.host} cannot be a name of a machine"
        raise ConnectError(Step.RESOLVE, detail) from error
    except OSError as error:
        raise explain_connect_error(error, host=target.host, port=target.port) from error
    return opened
