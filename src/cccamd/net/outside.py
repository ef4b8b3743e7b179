"""Servers of others that we call, by their names: an MQTT broker, an engine of a fleet."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cccamd.errors import CccamdError
from cccamd.machine import SocketAddress
from cccamd.net.failures import ConnectError
from cccamd.net.resolve import resolve

NAME_TIMEOUT: Final = 12.0
"""Seconds for all name servers to answer."""


class CallError(CccamdError):
    """A server of others cannot be called. The text is for people and holds no secret."""


async def callable_addresses(host: str, admits: Callable[[str], bool]) -> list[SocketAddress]:
    """The addresses of a host that may be called: of networks that are local, or named.

    Raises:
        CallError: there is none.
    """
    try:
        addresses = await resolve(host, timeout=NAME_TIMEOUT)
    except ConnectError as error:
        raise CallError(str(error)) from error
    allowed = [each for each in addresses if admits(each[0])]
    if not allowed:
        raise CallError(f"{addresses[0][0]} is not in a local network: networks has to name it")
    return allowed


def trust(context: ssl.SSLContext, ca: Path | None) -> None:
    """Have a file with certificates vouch for a server; None: those whom the system trusts.

    Raises:
        CallError: there is no such file, or none in it.
    """
    if ca is None:
        context.load_default_certs()
        return
    try:
        context.load_verify_locations(cafile=ca)
    except ssl.SSLError as error:
        raise CallError(f"there are no certificates in {ca}") from error
    except OSError as error:
        raise CallError(f"{ca} cannot be read: {error.strerror}") from error
