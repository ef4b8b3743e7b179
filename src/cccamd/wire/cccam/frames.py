"""Frames: flag, command, length, payload, encrypted as one run.

Source: docs/protocol.md sections 2, 3 and 5.
"""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct

from cccamd.wire.cccam.cipher import Cipher

_HEADER = Struct(">BBH")
HEADER_LENGTH = _HEADER.size
PAYLOAD_LIMIT = 1020
"""Peers drop larger ones."""


class Command(IntEnum):
    """The known commands; a frame may carry any other number as well."""

    CLIENT_DATA = 0x00
    ECM = 0x01
    EMM = 0x02
    CARD_REMOVED = 0x04
    CHALLENGE_05 = 0x05
    KEEPALIVE = 0x06
    NEW_CARD = 0x07
    SERVER_DATA = 0x08
    CHALLENGE_0A = 0x0A
    CHALLENGE_0B = 0x0B
    CLIENT_CHECK_0C = 0x0C
    CLIENT_CHECK_0D = 0x0D
    CLIENT_CHECK_0E = 0x0E
    NEW_CARD_SIDS = 0x0F
    SLEEP = 0x80
    NOK1 = 0xFE
    NOK2 = 0xFF


def command_name(command: int) -> str:
    """Name a command for people: `ECM`, or `command 0x42` when it has no name."""
    try:
        return Command(command).name
    except ValueError:
        return f"command 0x{command:02X}"


Frame = tuple[int, int, bytes]
"""Flag, command, payload. The command may be a number that `Command` does not know."""


class OversizedFrameError(Exception):
    """A frame announced more than any program sends: the stream is not this protocol."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __str__(self) -> str:
        return f"a frame of {self.length} bytes was announced; {PAYLOAD_LIMIT} is the most"


def serialize_frame(flag: int, command: int, payload: bytes = b"") -> bytes:
    """Build the clear bytes of a frame.

    Raises:
        ValueError: the payload is longer than peers accept.
    """
    if len(payload) > PAYLOAD_LIMIT:
        raise ValueError(f"a payload has at most {PAYLOAD_LIMIT} bytes, not {len(payload)}")
    return _HEADER.pack(flag, command, len(payload)) + payload


class FrameReader:
    """Cuts a stream of encrypted bytes into clear frames, one decryption at a time.

    This is the client's reader: the client must be able to move the cipher between two
    frames (section 8). An incomplete frame leaves no trace but its header, decrypted once.
    """

    __slots__ = ("_buffer", "_cipher", "_header", "_position")

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher
        self._buffer = b""
        self._position = 0
        self._header = b""

    def frames(self, data: bytes) -> Iterator[Frame]:
        """Take `data` in and yield each frame that is complete now.

        Nothing beyond the yielded frame is decrypted yet.

        Raises:
            OversizedFrameError: from then on the stream cannot be understood.
        """
        self._buffer = self._buffer[self._position :] + data
        self._position = 0
        while frame := self._next():
            yield frame

    def _next(self) -> Frame | None:
        start = self._position
        header = self._header
        if not header:
            if len(self._buffer) < start + HEADER_LENGTH:
                return None
            header = self._cipher.decrypt(self._buffer[start : start + HEADER_LENGTH])
            start += HEADER_LENGTH
        flag, command, length = _HEADER.unpack(header)
        if length > PAYLOAD_LIMIT:
            raise OversizedFrameError(length)
        end = start + length
        if len(self._buffer) < end:
            self._header, self._position = header, start
            return None
        payload = self._cipher.decrypt(self._buffer[start:end])
        self._header, self._position = b"", end
        return flag, command, payload


class EagerFrameReader:
    """Cuts a stream of encrypted bytes into clear frames, all decrypted as they arrive.

    This is the server's reader: nothing ever moves the cipher between a client's frames,
    so one call of the cipher serves everything that one read brought.
    """

    __slots__ = ("_cipher", "_clear")

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher
        self._clear = b""

    def frames(self, data: bytes) -> Iterator[Frame]:
        """Take `data` in and yield each frame that is complete now.

        Raises:
            OversizedFrameError: from then on the stream cannot be understood.
        """
        clear = self._clear + self._cipher.decrypt(data)
        size = len(clear)
        start = 0
        while size - start >= HEADER_LENGTH:
            flag, command, length = _HEADER.unpack_from(clear, start)
            if length > PAYLOAD_LIMIT:
                raise OversizedFrameError(length)
            payload_at = start + HEADER_LENGTH
            end = payload_at + length
            if end > size:
                break
            yield flag, command, clear[payload_at:end]
            start = end
        self._clear = clear[start:]
