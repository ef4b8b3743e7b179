"""What stands for TLS between paired servers: who proves which key, and no encryption.

The server's own objects decide all that is to be decided: whose turn it is, how long a handshake
may take, which key has to be there (`cccamd.net.tls`). Here three messages take the place of
OpenSSL's: the caller greets, the other side shows its key, the caller shows its own. The same
bytes come out of both ends as go in, after that.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from simwires import End

from cccamd.wire.keycodes import LENGTH, KeyCode

HELLO: Final = b"hello to a key: "
_KEY: Final = b"key"


class Shaking(asyncio.Protocol):
    """One side of a handshake. `then` gets the key at the other end and what came after it."""

    def __init__(
        self,
        own: KeyCode,
        *,
        listens: bool,
        then: Callable[[End, KeyCode, bytes], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._own, self._listens = own, listens
        self._then, self._failed = then, failed
        self._end: End
        self._read = b""
        self._is_over = self._was_greeted = False

    def connection_made(self, transport: Any) -> None:
        self._end = transport
        if not self._listens:
            transport.write(HELLO)

    def data_received(self, data: bytes) -> None:
        self._read += data
        if self._listens and not self._was_greeted and self._has_read(HELLO):
            self._read = self._read[len(HELLO) :]
            self._was_greeted = True
            self._end.write(_KEY + self._own)
        whole = len(_KEY) + LENGTH
        if self._is_over or self._was_greeted < self._listens:
            return
        if self._has_read(_KEY) and len(self._read) >= whole:
            self._is_over = True
            if not self._listens:
                self._end.write(_KEY + self._own)
            self._then(self._end, KeyCode(self._read[len(_KEY) : whole]), self._read[whole:])

    def _has_read(self, wanted: bytes) -> bool:
        """Whether it is there; what is something else ends the handshake."""
        said = self._read[: len(wanted)]
        if not wanted.startswith(said):
            self._end.abort()
            wrong = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
            wrong.reason = "WRONG_VERSION_NUMBER"
            self._fail(wrong)
        return said == wanted and not self._is_over

    def eof_received(self) -> None:
        self._fail(ConnectionResetError("left in the handshake"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("left in the handshake"))

    def _fail(self, error: Exception) -> None:
        if not self._is_over:
            self._is_over = True
            self._failed(error)


class _Context:
    """What stands for an SSL context."""

    def __init__(self, keyring: Any, side: int) -> None:
        self.own: KeyCode = keyring.own_code()
        self.listens = side == ssl.PROTOCOL_TLS_SERVER


async def shake(end: End, factory: Callable[[], Any], context: Any, timeout: float) -> Any:
    """What asyncio does with `ssl=`: the handshake, then the protocol that `factory` makes."""
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def settle(end: End, key: KeyCode, rest: bytes) -> None:
        end.extra["key"] = key
        protocol = factory()
        end.hand_to(protocol, rest)
        if not done.done():
            done.set_result(protocol)

    def fail(error: Exception) -> None:
        if not done.done():
            done.set_exception(error)

    shaking = Shaking(context.own, listens=context.listens, then=settle, failed=fail)
    if end.is_lost:
        raise ConnectionResetError("left before the handshake")
    end.protocol = shaking
    end._begin()
    try:
        async with asyncio.timeout(timeout):
            return end, await done
    except TimeoutError:
        end.abort()
        raise ConnectionAbortedError("the handshake takes too long") from None
    except BaseException:
        end.abort()
        raise


@contextmanager
def without_encryption() -> Iterator[None]:
    """Let the server make its handshakes here."""
    with (
        patch("cccamd.net.tls._context", _Context),
        patch("cccamd.net.tls._proved_key", lambda transport: transport.get_extra_info("key")),
    ):
        yield
