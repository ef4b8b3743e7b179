"""The frames of newcamd: cut, checked, deciphered, and the other way round.

Source: docs/newcamd-protocol.md section 3.
"""

from collections.abc import Callable
from enum import Enum
from functools import reduce
from operator import xor
from typing import Final, NamedTuple

from cccamd.wire.newcamd.keys import BLOCK_LENGTH, IV_LENGTH, FrameCipher

LENGTH_BYTES: Final = 2
SHORTEST, LONGEST = 24, 1022
"""Bytes of a frame behind its length."""
MESSAGE_LIMIT: Final = 997
"""Bytes of the longest message, an ECM with its three header bytes, that anybody takes."""
MESSAGE_HEADER: Final = 3
MOST_PAD: Final = 7
_LENGTH_MASK: Final = 0x0FFF

Random = Callable[[int], bytes]
"""Gives so many bytes that nobody can foresee."""


class FrameError(Exception):
    """What came cannot be read as frames; says why."""


class Form(Enum):
    """The header of a frame: which of the protocol's versions is spoken. The value: its bytes."""

    F525 = 10
    """5.25 and later: everybody."""
    F524 = 6
    """5.20 to 5.24: very old boxes."""


class Header(NamedTuple):
    """What stands before a message; form 524 has sequence and SID only."""

    sequence: int = 0
    sid: int = 0
    """In a login: the client's id."""
    caid: int = 0
    provider: int = 0
    marker: int = 0


class Frame(NamedTuple):
    """One message with its header."""

    header: Header
    command: int
    """Of an ECM or EMM: its table id."""
    flags: int
    data: bytes
    message: bytes
    """Command, flags and length, data: of an ECM or EMM, the section."""


def make_message(command: int, data: bytes = b"", flags: int = 0) -> bytes:
    """Put a command before its data."""
    return (command << 16 | flags << 12 | len(data)).to_bytes(MESSAGE_HEADER) + data


def is_section(data: bytes) -> bool:
    """Whether it is as long as it says: only then can it be a message."""
    if len(data) < MESSAGE_HEADER:
        return False
    return len(data) == MESSAGE_HEADER + (int.from_bytes(data[1:3]) & _LENGTH_MASK)


def serialize_frame(
    header: Header, message: bytes, *, form: Form, cipher: FrameCipher, random: Random
) -> bytes:
    """Make a whole frame, with its length."""
    clear = _serialize_header(header, form) + message
    pad = -(len(clear) + 1) % BLOCK_LENGTH
    clear += random(pad)
    clear += _xor_of(clear + b"\0").to_bytes(1)
    iv = random(IV_LENGTH)
    body = cipher.encrypt(clear, iv) + iv
    return len(body).to_bytes(LENGTH_BYTES) + body


class FrameCutter:
    """Cuts frames out of a stream, and leaves them ciphered: keys change on the way."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def __len__(self) -> int:
        """Bytes that are not cut yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take in bytes, in whatever pieces they came."""
        self._buffer += data

    def next(self) -> bytes | None:
        """The next frame without its length; None: not all of it is there.

        Raises:
            FrameError: there can be no such frame.
        """
        buffer = self._buffer
        if len(buffer) < LENGTH_BYTES:
            return None
        length = int.from_bytes(buffer[:LENGTH_BYTES])
        if length % BLOCK_LENGTH or not SHORTEST <= length <= LONGEST:
            raise FrameError(f"a frame of {length} bytes was announced")
        end = LENGTH_BYTES + length
        if len(buffer) < end:
            return None
        body = bytes(buffer[LENGTH_BYTES:end])
        del buffer[:end]
        return body


def decipher(body: bytes, cipher: FrameCipher) -> bytes:
    """Header, message, pad and checksum of a frame.

    Raises:
        FrameError: the checksum is wrong, as it is with another key.
    """
    clear = cipher.decrypt(body[:-IV_LENGTH], body[-IV_LENGTH:])
    if _xor_of(clear):
        raise FrameError("the checksum of a frame is wrong")
    return clear


def _xor_of(data: bytes) -> int:
    """All bytes of whole blocks, eight at a time first."""
    folded = reduce(xor, memoryview(data).cast("Q"), 0)
    folded ^= folded >> 32
    folded ^= folded >> 16
    return (folded ^ folded >> 8) & 0xFF


def parse_frame(clear: bytes, form: Form) -> Frame:
    """Read what `decipher` gave.

    Raises:
        FrameError: the message is longer than its frame.
    """
    start = form.value
    length = _message_length(clear, form)
    if length < 0 or start + length >= len(clear):
        raise FrameError("a message is longer than its frame")
    message = clear[start : start + length]
    header = _parse_header(clear, form)
    return Frame(header, message[0], message[1] >> 4, message[MESSAGE_HEADER:], message)


def find_form(clear: bytes, command: int) -> Form | None:
    """The form of a login: where its command stands, and its length fits the frame."""
    for form in Form:
        rest = len(clear) - 1 - form.value - _message_length(clear, form)
        if clear[form.value] == command and 0 <= rest <= MOST_PAD:
            return form
    return None


def _message_length(clear: bytes, form: Form) -> int:
    """Of the message with its three bytes; negative: there is no room for any."""
    place = form.value + 1
    if len(clear) < place + 3:
        return -1
    return MESSAGE_HEADER + (int.from_bytes(clear[place : place + 2]) & _LENGTH_MASK)


def _serialize_header(header: Header, form: Form) -> bytes:
    if form is Form.F524:
        return (header.sequence << 32 | header.sid).to_bytes(form.value)
    sequence, sid, caid, provider, marker = header
    packed = sequence << 64 | sid << 48 | caid << 32 | provider << 8 | marker
    return packed.to_bytes(form.value)


def _parse_header(clear: bytes, form: Form) -> Header:
    sequence = int.from_bytes(clear[:2])
    if form is Form.F524:
        return Header(sequence, sid=int.from_bytes(clear[4:6]))
    return Header(
        sequence,
        sid=int.from_bytes(clear[2:4]),
        caid=int.from_bytes(clear[4:6]),
        provider=int.from_bytes(clear[6:9]),
        marker=clear[9],
    )
