"""Names of machines: open a connection to a server by its name, tell whether one has called us."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from cccamd.errors import NumberError
from cccamd.ids import IpAddress, parse_address
from cccamd.net.connection import Connection
from cccamd.net.failures import ConnectError, Step, explain_connect_error

CONNECT_TIMEOUT: Final = 5.0
RESOLVE_TIMEOUT: Final = 1.5
"""Clients wait two seconds for the answer to their login (docs/protocol.md section 13.6)."""

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What became of looking up a host."""

    addresses: frozenset[IpAddress] = frozenset()
    """Without zones."""
    trouble: str = ""
    """Why there are none, in words; empty when it was found."""


async def locate(host: str) -> Whereabouts:
    """Find the addresses of a host, within `RESOLVE_TIMEOUT`. Never raises.

    Names are resolved each time (docs/config.md section 3.1), because they change.
    """
    with suppress(NumberError):
        return Whereabouts(frozenset({parse_address(host)}))
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except TimeoutError:
        return Whereabouts(trouble=f"the name server did not answer within {RESOLVE_TIMEOUT:g} s")
    except UnicodeError:
        return Whereabouts(trouble=f"{host} cannot be a name of a machine")
    except OSError as error:
        return Whereabouts(trouble=f"the resolver says: {error.strerror or error}")
    return Whereabouts(frozenset(parse_address(str(sockaddr[0])) for *_, sockaddr in found))


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
