"""Open a connection to a server."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from cccamd.net.connection import Connection
from cccamd.net.failures import ConnectError, Step, explain_connect_error

CONNECT_TIMEOUT: Final = 5.0

E = TypeVar("E")


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
