"""What went wrong on the way to a peer, in words for its owner.

What the operating system says about names, connecting, connections and listening is translated
here; what it says about a file, a time server or our own pages is translated where those are
read. The cause is always a word of an enum (`Step`, `CloseReason`), which judges go by; the text
beside it is for people.
"""

import errno
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cccamd.errors import CccamdError
from cccamd.facts import Step
from cccamd.wire.link import CLOSED_BY_PEER, Closed, CloseReason, Loss


class ConnectError(CccamdError):
    """A connection could not be made."""

    def __init__(self, step: Step, detail: str) -> None:
        super().__init__(step, detail)
        self.step = step
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.step.value}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt or a login ended."""

    step: Step
    text: str
    """One sentence for people."""


# Names.


_NAME_SERVER_TROUBLE: Final = frozenset({socket.EAI_AGAIN, socket.EAI_FAIL})
_NO_ADDRESS: Final = frozenset(
    getattr(socket, name) for name in ("EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
)


def explain_name_error(error: OSError, host: str) -> ConnectError:
    """Translate what the system said when it was asked for the address of a host."""
    if error.errno in _NAME_SERVER_TROUBLE:
        return ConnectError(Step.NAME_SERVER, f"no name server can be asked for {host} now")
    if error.errno in _NO_ADDRESS:
        return ConnectError(Step.RESOLVE, f"the name {host} exists, but it has no address")
    return ConnectError(Step.RESOLVE, f"no address is known for the name {host}")


# Connecting.


class Notice(Enum):
    """What a message of the network (ICMP) said about a connection attempt."""

    FORBIDDEN = "forbidden"
    NO_PORT = "port unreachable"
    """No system answers so to TCP by itself: a firewall does."""
    NO_HOST = "host unreachable"
    NO_WAY = "network unreachable"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the system knows of a failed attempt beyond its error."""

    address: str
    """That we tried to reach."""
    way: str | None
    """Our own address on the way there; None: this machine knows no way."""
    cut_off: bool = False
    """Nor does it know any other way out."""
    near: bool = False
    """Whether the address lies in a network of our own."""
    notice: Notice | None = None
    sender: str = ""
    """Who sent the notice."""


_HOST_ERRORS: Final = frozenset({errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENONET})
_NETWORK_ERRORS: Final = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
_FORBIDDEN_ERRORS: Final = frozenset({errno.EACCES, errno.EPERM})
_UNREACHABLE_ERRORS: Final = _HOST_ERRORS | _NETWORK_ERRORS | _FORBIDDEN_ERRORS


def explain_connect_error(
    error: OSError, *, host: str, port: int, attempt: Attempt | None = None
) -> ConnectError:
    """Translate what the operating system said about a connection attempt."""
    if isinstance(error, socket.gaierror):
        return explain_name_error(error, host)
    where = _shown(host, attempt)
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        detail = f"{where} does not answer: it is off, or a firewall drops port {port}"
        return ConnectError(Step.CONNECT_TIMEOUT, detail)
    if attempt is not None and attempt.way is None and error.errno in _UNREACHABLE_ERRORS:
        return _no_way(where) if not attempt.cut_off else cut_off(where)
    if attempt is not None and attempt.notice is not None:
        return _explain_notice(attempt, where, port)
    return _explain_number(error, attempt, where, port)


def cut_off(where: str) -> ConnectError:
    """Say that nothing leads out of this machine at all."""
    return ConnectError(Step.CUT_OFF, f"no network leads out of this machine, nor to {where}")


def _no_way(where: str) -> ConnectError:
    return ConnectError(Step.ROUTE, f"this machine knows no way to {where}")


def _shown(host: str, attempt: Attempt | None) -> str:
    if attempt is None or attempt.address == host:
        return host
    return f"{host} ({attempt.address})"


def _explain_notice(attempt: Attempt, where: str, port: int) -> ConnectError:
    sender = attempt.sender
    if attempt.notice in (Notice.FORBIDDEN, Notice.NO_PORT):
        who = _firewall(attempt)
        return ConnectError(Step.FORBIDDEN, f"{who} rejects connections to port {port} of {where}")
    if attempt.notice is Notice.NO_HOST and sender == attempt.way:
        return _absent(where) if attempt.near else _no_gateway(where)
    if attempt.notice is Notice.NO_HOST:
        detail = f"the router {sender} gets no answer from {where}: that machine is off"
        return ConnectError(Step.UNREACHABLE, detail)
    return ConnectError(Step.UNREACHABLE, f"the router {sender} knows no way to {where}")


def _firewall(attempt: Attempt) -> str:
    if attempt.sender == attempt.address:
        return "the firewall of that machine"
    if attempt.sender == attempt.way:
        return "the firewall of this machine"
    return f"a firewall on the way ({attempt.sender})"


def _absent(where: str) -> ConnectError:
    detail = (
        f"nobody in this network answers to {where}: that machine is off, or it has another address"
    )
    return ConnectError(Step.ABSENT, detail)


def _no_gateway(where: str) -> ConnectError:
    detail = (
        f"the way to {where} leads over a router of this network, which does not answer: it is off,"
        " or cut off from this machine"
    )
    return ConnectError(Step.GATEWAY, detail)


def _explain_number(error: OSError, attempt: Attempt | None, where: str, port: int) -> ConnectError:
    number = error.errno
    if isinstance(error, ConnectionRefusedError):
        return ConnectError(Step.REFUSED, f"{where} is there, but nothing listens on port {port}")
    if number in _HOST_ERRORS and attempt is not None and attempt.near:
        return _absent(where)
    if number in _FORBIDDEN_ERRORS:
        detail = f"a firewall or a rule of this machine forbids connections to {where}"
        return ConnectError(Step.FORBIDDEN, detail)
    if number in _UNREACHABLE_ERRORS and attempt is not None:
        detail = f"something on the way says that {where} cannot be reached"
        return ConnectError(Step.UNREACHABLE, detail)
    if number in _UNREACHABLE_ERRORS:
        return _no_way(where)
    return ConnectError(Step.CONNECT, error.strerror or str(error))


# TLS.


_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
)
_TLS_REASONS: Final = {
    "UNSUPPORTED_PROTOCOL": "it does not speak TLS 1.3",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it does not speak TLS 1.3",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no key, as a paired server would",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is none that cccamd makes",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not take the certificate of a cccamd",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate and got none",
}
"""What OpenSSL calls them."""


def explain_tls_error(error: BaseException, patience: float) -> str:
    """Translate why a TLS handshake failed that was given `patience` seconds."""
    if isinstance(error, ssl.SSLError):
        if error.reason in _NO_TLS:
            return "it says something else than TLS; is this the port of [tls] there?"
        name = error.reason or type(error).__name__
        return _TLS_REASONS.get(name, f"the handshake failed: {name.lower().replace('_', ' ')}")
    if isinstance(error, TimeoutError) or (
        isinstance(error, ConnectionAbortedError) and not error.errno
    ):  # the second is asyncio's own
        return f"no handshake within {patience:g} s: what does not speak TLS waits like this"
    if isinstance(error, ConnectionError):
        return "it hung up during the handshake"
    said = error.strerror if isinstance(error, OSError) else None
    return f"the handshake failed: {said or error or type(error).__name__}"


# Connections that end.


_LOSSES: Final[Mapping[int, CloseReason]] = {
    errno.ETIMEDOUT: CloseReason.PEER_GONE,
    errno.EHOSTUNREACH: CloseReason.PEER_GONE,
    errno.EHOSTDOWN: CloseReason.PEER_GONE,
    errno.ECONNRESET: CloseReason.RESET,
    errno.ECONNABORTED: CloseReason.RESET,
    errno.EPIPE: CloseReason.RESET,
    errno.ENETUNREACH: CloseReason.NETWORK_LOST,
    errno.ENETDOWN: CloseReason.NETWORK_LOST,
    errno.ENETRESET: CloseReason.NETWORK_LOST,
}


def explain_loss(error: BaseException | None) -> Loss:
    """Translate what the operating system said when a connection ended; None: the peer closed."""
    if not isinstance(error, OSError):
        return CLOSED_BY_PEER
    number = error.errno or 0
    said = error.strerror or (os.strerror(number) if number else "")
    return Loss(_LOSSES.get(number, CloseReason.RESET if number else CloseReason.PEER_CLOSED), said)


_STEPS: Final[Mapping[CloseReason, Step]] = {
    CloseReason.PEER_CLOSED: Step.CLOSED,
    CloseReason.PEER_GONE: Step.GONE,
    CloseReason.RESET: Step.RESET,
    CloseReason.NETWORK_LOST: Step.NETWORK,
    CloseReason.NO_SEED: Step.SEED,
    CloseReason.HUNG_UP: Step.HUNG_UP,
    CloseReason.NEWCAMD: Step.NEWCAMD,
    CloseReason.STRANGER: Step.STRANGER,
    CloseReason.NOT_CCCAM: Step.STRANGER,
    CloseReason.GARBAGE: Step.UNSOUND,  # frames begin when the server has shown that it is one
    CloseReason.LOGIN_REFUSED: Step.LOGIN,
    CloseReason.BAD_LOGIN_ANSWER: Step.LOGIN,
    CloseReason.NO_ANSWER_TO_LOGIN: Step.LOGIN,
    CloseReason.NO_INTRODUCTION: Step.INTRODUCTION,
    CloseReason.MALFORMED_LOGIN: Step.INTRODUCTION,
    CloseReason.THROWN_OUT: Step.THROWN_OUT,
    CloseReason.NO_ANSWER: Step.UNANSWERED,
    CloseReason.NO_GREETING: Step.NO_GREETING,
    CloseReason.CCCAM: Step.CCCAM,
    CloseReason.STRANGER_TO_NEWCAMD: Step.NOT_NEWCAMD,
    CloseReason.UNREADABLE: Step.NOT_NEWCAMD,
    CloseReason.OTHER_KEY_THERE: Step.DES_KEY,
    CloseReason.LOGIN_DENIED: Step.DENIED,
    CloseReason.NO_CARD_DATA: Step.NO_CARD_DATA,
    CloseReason.NO_SIGN_OF_LIFE: Step.NO_SIGN,
    CloseReason.NOT_READING: Step.UNSOUND,
    CloseReason.SAYS_TOO_MUCH: Step.UNSOUND,
    CloseReason.OUT_OF_STEP: Step.UNSOUND,
}
"""What else can end a login is done by us."""


def explain_end(closed: Closed, *, introduced: bool, settled: bool = True) -> Failure:
    """Say how far a login got that ended.

    `introduced`: the server had said who it is; `settled`: and something had come of it.
    """
    step = _STEPS.get(closed.reason, Step.ENDED)
    if step is Step.NOT_NEWCAMD and introduced:
        step = Step.UNSOUND  # it has told its card
    if step not in (Step.CLOSED, Step.RESET) or (introduced and settled):
        return Failure(step, str(closed))
    if introduced:
        return Failure(Step.THROWN_OUT, str(Closed(CloseReason.THROWN_OUT, closed.detail)))
    return Failure(Step.INTRODUCTION, str(closed))


# Listening.


_LISTEN_REASONS = {
    errno.EADDRINUSE: "another program listens there already",
    errno.EACCES: "ports below 1024 need root, or the capability CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}


def explain_listen_error(error: OSError) -> str:
    """Translate why a port is not to be had; asyncio puts words of its own around it."""
    number = error.errno or 0
    return _LISTEN_REASONS.get(number) or os.strerror(number)
