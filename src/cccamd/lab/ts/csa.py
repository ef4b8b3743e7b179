"""DVB-CSA, the common scrambling algorithm, done by libdvbcsa: payloads, and whole packets.

Only the classic algorithm with 8-byte control words: see docs/protocol.md section 2.
"""

import ctypes
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache

from cccamd.errors import CccamdError
from cccamd.lab.ts.packets import PACKET_HEADER_LENGTH, PACKET_LENGTH, Packet, Parity
from cccamd.values import HALF_LENGTH

PayloadSpan = tuple[int, int]
"""Where a payload lies in a buffer: offset and length."""

_CONTROL_BYTE = 3
_CONTROL_SHIFT = 6
_CLEAR_MASK = 0x3F
_PAYLOAD_LIMIT = PACKET_LENGTH - PACKET_HEADER_LENGTH
_LIBRARY = "libdvbcsa.so.1"


class CsaLibraryMissing(CccamdError):
    """libdvbcsa is not installed on this machine."""

    def __str__(self) -> str:
        return f"{_LIBRARY} is missing; install it with: apt-get install libdvbcsa1"


class _Payload(ctypes.Structure):
    """One entry of a batch (struct dvbcsa_bs_batch_s); a null `data` ends the batch."""

    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_uint))


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        raise CsaLibraryMissing from None
    batch = ctypes.POINTER(_Payload)
    library.dvbcsa_bs_batch_size.restype = ctypes.c_uint
    library.dvbcsa_bs_key_alloc.restype = ctypes.c_void_p
    library.dvbcsa_bs_key_free.argtypes = [ctypes.c_void_p]
    library.dvbcsa_bs_key_set.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    library.dvbcsa_bs_encrypt.argtypes = [ctypes.c_void_p, batch, ctypes.c_uint]
    library.dvbcsa_bs_decrypt.argtypes = [ctypes.c_void_p, batch, ctypes.c_uint]
    return library


def require_csa() -> None:
    """Make sure of libdvbcsa before any work is done.

    Raises:
        CsaLibraryMissing: it is not installed.
    """
    _library()


class CsaKey:
    """One control word, ready to scramble and descramble many payloads in place.

    Payloads under 8 bytes stay as they are: the algorithm knows no smaller block.

    Raises:
        CsaLibraryMissing: on construction.
    """

    def __init__(self, cw: bytes) -> None:
        if len(cw) != HALF_LENGTH:
            raise ValueError(f"a control word has {HALF_LENGTH} bytes, not {len(cw)}")
        self._library = _library()
        self._batch_size: int = self._library.dvbcsa_bs_batch_size()
        self._key: int = self._library.dvbcsa_bs_key_alloc()
        weakref.finalize(self, self._library.dvbcsa_bs_key_free, self._key)
        self._library.dvbcsa_bs_key_set(cw, self._key)

    def scramble(self, buffer: bytearray, spans: Sequence[PayloadSpan]) -> None:
        """Scramble the payloads that lie at `spans`, each at most 184 bytes long."""
        self._run(self._library.dvbcsa_bs_encrypt, buffer, spans)

    def descramble(self, buffer: bytearray, spans: Sequence[PayloadSpan]) -> None:
        """Undo `scramble` at `spans`."""
        self._run(self._library.dvbcsa_bs_decrypt, buffer, spans)

    def _run(
        self, function: "ctypes._NamedFuncPointer", buffer: bytearray, spans: Sequence[PayloadSpan]
    ) -> None:
        for offset, length in spans:
            # The library writes to these addresses: nothing unchecked may reach it.
            if not (0 <= offset <= len(buffer) - length and 0 <= length <= _PAYLOAD_LIMIT):
                raise ValueError(f"no payload of {length} bytes at offset {offset}")
        if not spans:
            return
        # Also keeps the buffer from being resized while the library works on it.
        first = ctypes.c_char.from_buffer(buffer)
        start = ctypes.addressof(first)
        for i in range(0, len(spans), self._batch_size):
            some = spans[i : i + self._batch_size]
            batch = (_Payload * (len(some) + 1))(
                *(_Payload(start + offset, length) for offset, length in some)
            )
            function(self._key, batch, _PAYLOAD_LIMIT)


def scramble(packets: bytearray, key: CsaKey, *, parity: Parity, pids: Collection[int]) -> int:
    """Scramble in place the packets of `pids` that have a payload; return how many."""
    spans = []
    for start, packet in _packets(packets):
        if packet.pid in pids and packet.payload_offset < PACKET_LENGTH:
            spans.append(_payload_span(start, packet))
            packets[start + _CONTROL_BYTE] |= parity << _CONTROL_SHIFT
    key.scramble(packets, spans)
    return len(spans)


def descramble(packets: bytearray, keys: Mapping[Parity, CsaKey]) -> int:
    """Descramble in place the packets whose key is there, leave the rest; return how many."""
    spans: dict[Parity, list[PayloadSpan]] = {parity: [] for parity in keys}
    for start, packet in _packets(packets):
        parity = packet.parity
        if parity in spans:
            spans[parity].append(_payload_span(start, packet))
            packets[start + _CONTROL_BYTE] &= _CLEAR_MASK
    for parity, key in keys.items():
        key.descramble(packets, spans[parity])
    return sum(map(len, spans.values()))


def _packets(packets: bytearray) -> Iterator[tuple[int, Packet]]:
    view = memoryview(packets)
    for start in range(0, len(packets), PACKET_LENGTH):
        yield start, Packet(view[start : start + PACKET_LENGTH])


def _payload_span(start: int, packet: Packet) -> PayloadSpan:
    offset = packet.payload_offset
    return start + offset, PACKET_LENGTH - offset
