"""Names of machines: open a connection to a server by its name, tell whether one has called us."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, TypeVar

from cccamd.errors import NumberError
from cccamd.ids import parse_address, unwrap_address
from cccamd.net.connection import Connection
from cccamd.net.failures import ConnectError, Step, explain_connect_error

CONNECT_TIMEOUT: Final = 5.0
RESOLVE_TIMEOUT: Final = 1.5
"""Clients wait two seconds for the answer to their login (docs/protocol.md section 13.6)."""

E = TypeVar("E")


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


async def dial(host: str, port: int, make: Callable[[], Connection[E]]) -> Connection[E]:
    """Resolve the name, connect, and leave the rest to the connection that `make` makes then.

    Raises:
        ConnectError: there is no TCP connection; says which step failed.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, opened = await loop.create_connection(make, host, port)
    except UnicodeError as error:  # a label that is empty or too long for a name
        raise ConnectError(Step.RESOLVE, f"{host} cannot be a name of a machine") from error
    except OSError as error:
        raise explain_connect_error(error, host=host, port=port) from error
    return opened
