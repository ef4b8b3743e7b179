"""How far the clock of this machine is off: what a time server or the system says.

Time servers are asked with a tiny SNTP client (RFC 4330).
"""

import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cccamd.errors import NumberError
from cccamd.ids import parse_endpoint

TIMESYNCD_FILES: Final = Path("/etc/systemd")
SERVERS_ASKED: Final = 3
"""The first that answers counts."""
PORT: Final = 123
PACKET_LENGTH: Final = 48
ANSWER_TIMEOUT: Final = 2.0
_EPOCH: Final = 2_208_988_800
"""Seconds from 1900, where NTP counts from, to 1970."""
_ASK: Final = 0x23
"""No warning, version 4, mode 3: client."""
_SERVER_MODE: Final = 4
_UNSYNCHRONISED: Final = 3


@dataclass(frozen=True, slots=True)
class TimeAnswer:
    """What asking for the time came to."""

    server: str = ""
    """Who answered; empty: nobody."""
    offset: float = 0.0
    """Seconds that our clock is behind; negative: ahead."""
    refusals: tuple[str, ...] = ()
    """Whom we asked in vain, and why."""


def configured_servers(folder: Path = TIMESYNCD_FILES) -> list[str]:
    """The time servers that the operator has set for this machine."""
    drop_ins = sorted((folder / "timesyncd.conf.d").glob("*.conf"))
    return servers_in(
        path.read_text(errors="replace")
        for path in (folder / "timesyncd.conf", *drop_ins)
        if path.is_file()
    )


def ask_time(servers: Sequence[str]) -> TimeAnswer:
    """Ask one server after the other until one answers."""
    refusals: list[str] = []
    for server in servers[:SERVERS_ASKED]:
        try:
            return TimeAnswer(server, ask_offset(server), tuple(refusals))
        except NoTime as error:
            refusals.append(f"{server}: {error}")
    return TimeAnswer(refusals=tuple(refusals))


def is_synchronised() -> bool | None:
    """What systemd says about the clock; None where it is not there to ask."""
    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            timeout=ANSWER_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())


def servers_in(texts: Iterable[str]) -> list[str]:
    """The time servers of timesyncd.conf and its drop-ins; those of NTP= before FallbackNTP=."""
    servers: dict[str, list[str]] = {"NTP": [], "FallbackNTP": []}
    for line in (line for text in texts for line in text.splitlines()):
        key, equals, value = line.partition("=")
        if equals and key.strip() in servers:
            # An empty value takes back what was set before, as everywhere in systemd.
            before = servers[key.strip()] if value.strip() else []
            servers[key.strip()] = [*before, *value.split()]
    return [*servers["NTP"], *servers["FallbackNTP"]]


# One server, by SNTP.


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
    return (int((seconds + _EPOCH) * 2**32) & (2**64 - 1)).to_bytes(8)


def _unpack_time(raw: bytes) -> float:
    """Times with the top bit clear are those after 2036, where the count starts anew."""
    value = int.from_bytes(raw)
    era = 0 if value >> 63 else 2**32
    return value / 2**32 - _EPOCH + era


def ask_offset(server: str, *, timeout: float = ANSWER_TIMEOUT) -> float:
    """Ask one server (`host` or `host:port`); how many seconds our clock is behind.

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
    except (NumberError, UnicodeError):
        raise NoTime("cannot be a name") from None
    except OSError as error:
        raise NoTime(error.strerror or "no answer") from None
