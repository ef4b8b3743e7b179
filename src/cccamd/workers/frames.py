"""How a worker and the core share one stream: frames, each of one client or of the worker itself.

A frame is a length, a kind, the number of the connection (0: the worker itself) and a body.
Numbers are given by the worker, and never twice.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

HEAD: Final = struct.Struct(">IBI")


class Kind(IntEnum):
    """What a frame is."""

    # Of the worker.
    CAME = 1
    """Somebody has connected: the port and the address of the peer. `BEGIN`, `WAIT` or `DROP`
    follows."""
    TELLS = 2
    """Records of what its protocol object tells."""
    TAKEN = 3
    """So many bytes of `SAYS` have left this machine, or are about to."""
    WAY = 4
    """How the way to the client is, and whether its machine has acknowledged everything."""
    ACCEPTING = 5
    """Something about the door, in JSON."""
    FAILED = 6
    """An error of ours, in words."""
    LIVES = 7
    """The answer to `LOOK` of connection 0."""
    STUCK = 8
    """Bytes that its machine has no room for (0: it has room), and whether more came that was not
    read; told when that changes."""
    SPOKE = 9
    """Of one who waits: whether it has said something, or else has left."""

    # Of the core.
    BEGIN = 32
    """Let it in, with this much time for its login and so long a queue."""
    SAYS = 33
    """Records of what its protocol object is to do."""
    END = 34
    """Write what there is to write, and end it."""
    DROP = 35
    """End it at once."""
    HOLD = 36
    """Do not read from it."""
    GO_ON = 37
    """Read again."""
    LOOK = 38
    """Say `WAY` of it; of connection 0: say `LIVES`."""
    WAIT = 39
    """Tell it the first words, and say `SPOKE`; `BEGIN` or `DROP` follows in a while."""


BEGIN: Final = struct.Struct(">dI")
WAY: Final = struct.Struct(">?dd?dI")
"""Whether everything is acknowledged, the round trip, the jitter, whether those are known, the age
of what is sent in vain, segments that were sent again."""
TAKEN: Final = struct.Struct(">I")
STUCK: Final = struct.Struct(">I?")
SOCKETS_LIMIT: Final = 64
"""Listening sockets that a worker is handed at once."""


def pack(kind: Kind, number: int, body: bytes = b"") -> bytes:
    """One frame."""
    return HEAD.pack(len(body), kind, number) + body


class FrameCutter:
    """Cuts frames out of the stream."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Kind, number and body of the frames that are whole by now."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, size = 0, len(data)
        while size - at >= HEAD.size:
            length, kind, number = HEAD.unpack_from(data, at)
            begin = at + HEAD.size
            if size - begin < length:
                break
            at = begin + length
            yield kind, number, data[begin:at]
        if at < size:
            self._rest = data[at:]
