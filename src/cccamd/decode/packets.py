"""Packets out of a capture file, pcap or pcapng. dpkt reads both; what it lets pass is caught here.

The file is read once and from front to back, so it may be a pipe.
"""

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import dpkt  # type: ignore[import-untyped]

from cccamd.errors import CccamdError

PIECE_LIMIT: Final = 1 << 20
"""Bytes of one packet or block; nobody captures larger ones (libpcap has 262,144)."""
_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
_GZIP: Final = b"\x1f\x8b"
_DAMAGE: Final = (
    dpkt.dpkt.Error,
    ValueError,
    struct.error,
    LookupError,
    ArithmeticError,
    TypeError,
    AttributeError,
)
"""What dpkt raises over bytes that are not as they should be."""


class CaptureError(CccamdError):
    """A file is no capture, or is damaged from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One TCP segment."""

    at: float
    """Seconds since 1970."""
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    acknowledged: int
    syn: bool = False
    ack: bool = False
    fin: bool = False
    rst: bool = False
    data: bytes = b""


class Readable(Protocol):
    """A file in binary mode."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; fewer only at the end."""


class _Source:
    """Gives a file to dpkt: bounds what is read at once, and notices an end in the middle."""

    name = "capture"

    def __init__(self, file: Readable) -> None:
        self._file = file
        self.cut = False
        """The file ended where more was wanted."""
        self._seen = self._file.read(4)

    @property
    def beginning(self) -> bytes:
        """Its first four bytes."""
        return self._seen[:4]

    def read(self, size: int) -> bytes:
        if not 0 <= size <= PIECE_LIMIT:
            raise CaptureError(f"a packet of {size} bytes was announced: the file is damaged")
        data, self._seen = self._seen[:size], self._seen[size:]
        if len(data) < size:
            data += self._file.read(size - len(data))
        if 0 < len(data) < size:
            self.cut = True
        return data


def read_packets(file: Readable) -> Iterator[Packet]:
    """Read all TCP packets; others are passed over.

    Raises:
        CaptureError: it is no capture, or damaged; after all packets before that were told.
        OSError: it cannot be read.
    """
    source = _Source(file)
    try:
        capture = _open(source)
        unwrap = _LINKS.get(capture.datalink())
    except _DAMAGE as error:
        raise CaptureError(f"this is no pcap or pcapng file ({error})") from None
    if unwrap is None:
        raise CaptureError(f"captures of link type {capture.datalink()} cannot be read")
    number = 0
    try:
        for at, frame in capture:
            number += 1
            if source.cut:
                break
            if (packet := _packet(float(at), frame, unwrap)) is not None:
                yield packet
    except CaptureError as error:
        raise CaptureError(f"after {number} packets: {error}") from None
    except _DAMAGE as error:
        raise CaptureError(f"after {number} packets the file is damaged ({error})") from None
    if source.cut:
        raise CaptureError(f"the file breaks off in the middle of a packet, after {number - 1}")


def _open(source: _Source) -> Any:
    if not source.beginning:
        raise CaptureError("the file is empty")
    if source.beginning.startswith(_GZIP):
        raise CaptureError("the file is compressed: unpack it with gunzip, or pipe it from zcat")
    module = dpkt.pcapng if source.beginning == _PCAPNG else dpkt.pcap
    return module.Reader(source)


def _packet(at: float, frame: bytes, unwrap: Callable[[bytes], Any]) -> Packet | None:
    try:
        ip = unwrap(frame)
        while ip is not None and not isinstance(ip, dpkt.ip.IP | dpkt.ip6.IP6):
            ip = ip.data if isinstance(ip, dpkt.Packet) else None
        if ip is None or not isinstance(ip.data, dpkt.tcp.TCP):
            return None
        tcp = ip.data
        family = socket.AF_INET if isinstance(ip, dpkt.ip.IP) else socket.AF_INET6
        return Packet(
            at=at,
            source=(socket.inet_ntop(family, ip.src), tcp.sport),
            target=(socket.inet_ntop(family, ip.dst), tcp.dport),
            sequence=tcp.seq,
            acknowledged=tcp.ack,
            syn=bool(tcp.flags & dpkt.tcp.TH_SYN),
            ack=bool(tcp.flags & dpkt.tcp.TH_ACK),
            fin=bool(tcp.flags & dpkt.tcp.TH_FIN),
            rst=bool(tcp.flags & dpkt.tcp.TH_RST),
            data=bytes(tcp.data),
        )
    except _DAMAGE:
        return None  # a packet that was cut, or is none


def _raw(frame: bytes) -> Any:
    version = frame[0] >> 4
    return dpkt.ip.IP(frame) if version == 4 else dpkt.ip6.IP6(frame)


_LINKS: Final[Mapping[int, Callable[[bytes], Any]]] = {
    0: dpkt.loopback.Loopback,
    1: dpkt.ethernet.Ethernet,
    12: _raw,
    14: _raw,
    101: _raw,
    108: dpkt.loopback.Loopback,
    113: dpkt.sll.SLL,
    228: _raw,
    229: _raw,
    276: dpkt.sll2.SLL2,
}
"""How packets lie in a capture, by its link type: loopback, Ethernet, bare IP, Linux's `any`."""
