"""Who answers on a port that is no CCcam server's: told by the first bytes it sends.

Pure recognition, one for everybody: the client's side of CCcam, and so the log of a link, the
probe, the doctor, `explain` and the pages. A CCcam server sends 16 bytes, its seed, at once and
nothing more. A web server, a TLS server and most softcam ports say nothing until they are spoken
to; they cannot be told from a CCcam server that hangs.

The other way round, programs that take a CCcam server for something else are told by what they
say to it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from cccamd.wire.link import Closed, CloseReason

NEWCAMD_GREETING_LENGTH: Final = 14
"""A newcamd server begins with so many random bytes, and waits."""
CCCAM_SEED_LENGTH: Final = 16
"""A CCcam server begins with so many."""
ENOUGH: Final = 256
"""Bytes by which every greeting below is known; more need not be kept."""
_SHOWN: Final = 40
"""Characters of a greeting that are repeated to people."""
_TELNET_COMMAND: Final = 0xFF
_TELNET_VERBS: Final = range(0xFA, 0xFF)
_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
_BEGINNINGS: Final[Mapping[bytes, str]] = {
    b"SSH-": "an SSH server",
    b"HTTP/": "a web server",
    b"<!DOCTYPE": "a web server",
    b"<html": "a web server",
    b"Welcome to the CCcam information client": "the information port (telnet) of a CCcam server",
    b"+OK": "a POP3 mail server",
    b"* OK": "an IMAP mail server",
    b"RFB ": "a VNC server",
    b"RTSP/": "an RTSP server",
}
_CALLERS: Final[Mapping[bytes, str]] = {
    **dict.fromkeys((b"GET ", b"HEAD ", b"POST ", b"PUT ", b"OPTIONS "), "a web browser (HTTP)"),
    b"CONNECT ": "a program that looks for a web proxy",
    b"\x16\x03": "a program that speaks TLS, as a browser does for https",
    b"SSH-": "an SSH client",
    b"\x03\x00\x00": "a program that looks for remote desktops",
    b"\x04\x01": "a program that looks for a proxy (SOCKS)",
    b"\x05\x01\x00": "a program that looks for a proxy (SOCKS)",
}
_MYSQL: Final = b"\x00\x00\x00\x0a"
"""The first packet of MySQL: a length of three bytes, and from the fourth its number and
version."""


def recognise(greeting: bytes) -> str:
    """Name the program that begins like this, in words that follow "it is"; empty: unknown."""
    for beginning, name in _BEGINNINGS.items():
        if greeting[: len(beginning)].lower() == beginning.lower():
            return name
    if greeting.startswith(_TLS_RECORDS):
        return "a server that speaks TLS, as https does"
    if len(greeting) > 1 and greeting[0] == _TELNET_COMMAND and greeting[1] in _TELNET_VERBS:
        return "a telnet server"
    if greeting[1:5] == _MYSQL:
        return "a MySQL database"
    return _by_text(greeting)


def recognise_caller(said: bytes) -> str:
    """Name the program that says this to a server, in words that follow "it is"; empty: unknown."""
    return next((name for start, name in _CALLERS.items() if said.startswith(start)), "")


def _by_text(greeting: bytes) -> str:
    text = readable(greeting)
    if not text:
        return ""
    if text[:3] in {"220", "421", "554", "120", "530"} and text[3:4] in {" ", "-"}:
        return "a mail server (SMTP)" if "SMTP" in text.upper() else "an FTP or mail server"
    if "login:" in text.lower() or "username:" in text.lower():
        return "a telnet server"
    if "password" in text.lower():
        return "a server that asks for a password"
    return "a server that speaks in text"


def readable(greeting: bytes) -> str:
    """The text that a greeting is; empty for bytes that are none."""
    try:
        text = greeting.decode("utf-8").replace("\r", " ").replace("\n", " ").strip("\0 \t")
    except UnicodeDecodeError:
        return ""
    return text if all(char.isprintable() or char == "\t" for char in text) else ""


class _Expected(NamedTuple):
    """What is said of a server by what it was taken for."""

    other_length: int
    """Bytes with which a server of the sister protocol begins."""
    other: CloseReason
    stranger: CloseReason
    silent: CloseReason


_EXPECTED_CCCAM: Final = _Expected(
    NEWCAMD_GREETING_LENGTH, CloseReason.NEWCAMD, CloseReason.STRANGER, CloseReason.NO_SEED
)
_EXPECTED_NEWCAMD: Final = _Expected(
    CCCAM_SEED_LENGTH,
    CloseReason.CCCAM,
    CloseReason.STRANGER_TO_NEWCAMD,
    CloseReason.NO_GREETING,
)


def judge_greeting(greeting: bytes, *, over: bool, said: str = "") -> Closed:
    """Say why what a server sent instead of a seed is none.

    `greeting` is all that came so far; `over`: it closed the connection, and `said` is what the
    system said of that. Else nothing more came within the time, or enough came.
    """
    return _judge(greeting, _EXPECTED_CCCAM, over=over, said=said)


def judge_newcamd_greeting(greeting: bytes, *, over: bool, said: str = "") -> Closed:
    """The same for what came instead of a newcamd server's greeting, or behind it."""
    return _judge(greeting, _EXPECTED_NEWCAMD, over=over, said=said)


def _judge(greeting: bytes, expected: _Expected, *, over: bool, said: str) -> Closed:
    name = recognise(greeting)
    if name:
        return Closed(expected.stranger, f"it is {name}{_quotation(greeting)}")
    if len(greeting) == expected.other_length:
        return Closed(expected.other, f"it sends {len(greeting)} bytes and waits")
    if greeting:
        first = f"its first bytes are {greeting[:16].hex()}"
        return Closed(expected.stranger, first + (", and then it closes" if over else ""))
    return Closed(CloseReason.HUNG_UP if over else expected.silent, said)


def _quotation(greeting: bytes) -> str:
    text = readable(greeting)
    if not text:
        return ""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f' and says "{shown}"'
