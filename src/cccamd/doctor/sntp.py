"""A tiny SNTP client (RFC 4330): ask one server how far our clock is off."""

import socket
import time
from typing import Final

from cccamd.errors import NumberError
from cccamd.ids import parse_endpoint

PORT: Final = 123
PACKET_LENGTH: Final = 48
TIMEOUT: Final = 2.0
_ERA: Final = 2_208_988_800
"""Seconds from 1900, where NTP counts from, to 1970."""
_ASK: Final = 0x23
"""No warning, version 4, mode 3: client."""
_SERVER_MODE: Final = 4
_UNSYNCHRONISED: Final = 3


class NoTime(Exception):
    """A server gave no usable time; the text says why."""


def pack_request(now: float) -> bytes:
    """Make a request; `now` is seconds since 1970, and comes back in the answer."""
    return bytes([_ASK]) + bytes(PACKET_LENGTH - 9) + _pack_time(now)


def read_offset(answer: bytes, *, request: bytes, sent_at: float, received_at: float) -> float:
    """How many seconds our clock is behind (negative: ahead).

    Raises:
        NoTime: the answer is none.
    """
    if len(answer) < PACKET_LENGTH or answer[24:32] != request[40:48]:
        raise NoTime("what came is no answer to our question")
    leap, mode, stratum = answer[0] >> 6, answer[0] & 7, answer[1]
    if mode != _SERVER_MODE or leap == _UNSYNCHRONISED or not 1 <= stratum <= 15:
        raise NoTime("it does not know the time itself")
    arrived, left = _unpack_time(answer[32:40]), _unpack_time(answer[40:48])
    return ((arrived - sent_at) + (left - received_at)) / 2


def _pack_time(seconds: float) -> bytes:
    return (int((seconds + _ERA) * 2**32) & (2**64 - 1)).to_bytes(8)


def _unpack_time(raw: bytes) -> float:
    """Times with the top bit clear are those after 2036, where the count starts anew."""
    value = int.from_bytes(raw)
    era = 0 if value >> 63 else 2**32
    return value / 2**32 - _ERA + era


def ask(server: str, *, timeout: float = TIMEOUT) -> float:
    """Ask one server how many seconds our clock is behind; `parse_endpoint` says how to name it.

    Raises:
        NoTime: it did not answer, or not with a time.
    """
    try:
        host, port = parse_endpoint(server, default_port=PORT)
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout)
            sock.connect(address)
            sent_at = time.time()
            request = pack_request(sent_at)
            sock.send(request)
            answer = sock.recv(1024)
            return read_offset(answer, request=request, sent_at=sent_at, received_at=time.time())
    except TimeoutError:
        raise NoTime("no answer") from None
    except (UnicodeError, NumberError):  # the resolver's opinion, and ours
        raise NoTime("cannot be a name") from None
    except OSError as error:
        raise NoTime(error.strerror or "no answer") from None
