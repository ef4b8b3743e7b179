"""What the kernel says of a socket: how the way to the peer is, and what waits at either end.

Linux's `struct tcp_info` is read here and nowhere else. Another system does not tell.
"""

import fcntl
import socket
import struct
import termios
from contextlib import suppress
from typing import NamedTuple

_TCP_INFO = struct.Struct("=2xB5xI12xI16xI20xII24xI")
"""Up to `tcpi_total_retrans`: `tcpi_retransmits`, `tcpi_rto` in microseconds, `tcpi_unacked`,
`tcpi_last_data_sent` in milliseconds, `tcpi_rtt` and `tcpi_rttvar` in microseconds."""
_LOST_AFTER = 2
"""Times that the same bytes were sent again without an answer: that is no jitter any more."""
_QUEUED = struct.Struct("=i")
"""What Linux's `SIOCOUTQ` says: bytes that were not sent, or not acknowledged."""
_COUNT = struct.Struct("=I")
_NOT_SENT_END = 148
"""Where `tcpi_notsent_bytes` ends."""
_UNACKNOWLEDGED = 24
"""Where `tcpi_unacked` begins."""
_ESTABLISHED, _SYN_SENT = 1, 2
"""States as Linux numbers them (include/net/tcp_states.h)."""
_LEFT = frozenset({7, 8})
"""Linux's `TCP_CLOSE` (it was reset) and `TCP_CLOSE_WAIT` (the peer sends no more)."""


class Way(NamedTuple):
    """How the way to the peer is, as the kernel sees it; times in seconds."""

    round_trip: float
    """The usual time there and back."""
    jitter: float
    sent_again: int
    """Segments that were sent again since the connection began."""
    unheard: float
    """The age of what is sent to the peer again and again in vain, as far as can be told; 0: the
    way is open. (When the peer was heard last tells nothing: it may send while it hears nothing.)
    """


def way_of(sock: socket.socket) -> Way | None:
    """How the way to the peer is now; None where the kernel does not tell."""
    info = _tcp_info(sock, _TCP_INFO.size)
    if not info:
        return None
    again, timeout, unacked, sent, usual, variation, total = _TCP_INFO.unpack(info)
    unheard = 0.0
    if unacked and again >= _LOST_AFTER:
        # Each wait was twice the one before: all of them together, and that of now.
        unheard = timeout / 1e6 * (1 - 0.5**again) + sent / 1e3
    return Way(usual / 1e6, variation / 1e6, total, unheard)


def was_answered(sock: socket.socket) -> bool:
    """Whether anybody has answered since it began to connect; False where nobody can tell."""
    state = _tcp_info(sock, 1)
    return bool(state) and state[0] != _SYN_SENT


def is_established(sock: socket.socket) -> bool:
    """Whether both sides may still send; False where the system does not tell."""
    return _tcp_info(sock, 1) == bytes([_ESTABLISHED])


def peer_has_left(sock: socket.socket) -> bool:
    """Whether the peer sends no more, or has reset the connection; False: not, as far as known."""
    state = _tcp_info(sock, 1)
    return bool(state) and state[0] in _LEFT


def held_up(sock: socket.socket) -> int:
    """Bytes that the kernel could not send yet; where it does not tell, as `in_kernel`."""
    if info := _tcp_info(sock, _NOT_SENT_END):
        return int(_COUNT.unpack_from(info, _NOT_SENT_END - _COUNT.size)[0])
    return in_kernel(sock)


def is_shut(sock: socket.socket) -> bool:
    """Whether the kernel has bytes to send, none of them on the way: the window is shut."""
    info = _tcp_info(sock, _NOT_SENT_END)
    if not info:
        return False
    (on_the_way,) = _COUNT.unpack_from(info, _UNACKNOWLEDGED)
    return not on_the_way and any(info[_NOT_SENT_END - _COUNT.size :])


def in_kernel(sock: socket.socket) -> int:
    """Bytes that were not sent, or not acknowledged; 0 where the system does not tell."""
    return _asked(sock, termios.TIOCOUTQ, _QUEUED)


def waiting(sock: socket.socket) -> int:
    """Bytes that can be read; 0 where the system does not tell."""
    return _asked(sock, termios.FIONREAD, _COUNT)


def _tcp_info(sock: socket.socket, size: int) -> bytes:
    """So many bytes of the struct; empty: it is no TCP connection, or the kernel has fewer."""
    if sock.family != socket.AF_UNIX and hasattr(socket, "TCP_INFO"):
        with suppress(OSError):
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
            return info if len(info) == size else b""
    return b""


def _asked(sock: socket.socket, request: int, answer: struct.Struct) -> int:
    try:
        return int(answer.unpack(fcntl.ioctl(sock.fileno(), request, bytes(4)))[0])
    except OSError:
        return 0
