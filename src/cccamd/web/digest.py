"""HTTP Digest, for plug-ins that know no other login: OSCam's API is asked with it.

MD5 and `qop="auth"` (RFC 7616), which is all that they speak. A nonce is a time under a key of
this run, so nothing is remembered for those who ask for one and never come back.
"""

import hmac
import os
import time
from collections.abc import Mapping
from hashlib import md5
from typing import Final, NamedTuple
from urllib.request import parse_http_list, parse_keqv_list

from cccamd.setup.cccamcfg import InfoPort

PATHS: Final = frozenset({"/oscamapi.html", "/oscamapi.json"})
"""Where Digest is offered and taken: browsers are asked for Basic only."""
REALM: Final = "cccamd"
FRESH: Final = 300
"""Seconds for which a nonce is good; who comes later is given another, and asks nobody."""
LENGTH_LIMIT: Final = 2048
_ENCODINGS: Final = ("utf-8", "latin-1")


class Claim(NamedTuple):
    """What somebody says of himself."""

    user: bytes
    is_right: bool
    """It is the login."""
    is_stale: bool = False
    """With a nonce that is too old or none of ours: not to be let in, and no guess."""


class Digest:
    """Gives nonces out, and checks what comes back."""

    def __init__(self) -> None:
        self._key = os.urandom(16)

    def challenge(self, *, stale: bool = False) -> str:
        """Ask for a login."""
        nonce = self._nonce(int(time.monotonic()))
        again = ", stale=true" if stale else ""
        return f'Digest realm="{REALM}", qop="auth", algorithm=MD5, nonce="{nonce}"{again}'

    def claim(self, login: InfoPort, authorization: str, *, method: str, uri: str) -> Claim:
        """Check one header; `uri` is what the request asks for, as it was sent."""
        given = _fields(authorization)
        user = given.get("username", "")
        claimed = user.encode("utf-8", "replace")
        if not self._is_fresh(given.get("nonce", "")):
            return Claim(claimed, is_right=False, is_stale=True)
        if login.username is None or login.password is None:
            return Claim(claimed, is_right=False)
        is_ours = given.get("uri") == uri and given.get("qop") == "auth"
        answers = [
            _response(login, codec, given, method).encode() for codec in _ENCODINGS
        ]  # all are compared always
        same = [hmac.compare_digest(given.get("response", "").encode(), one) for one in answers]
        named = [hmac.compare_digest(user.encode(), _name(login, codec)) for codec in _ENCODINGS]
        return Claim(claimed, is_right=is_ours & any(same) & any(named))

    def _nonce(self, at: int) -> str:
        seal = hmac.digest(self._key, str(at).encode(), "sha256")[:12]
        return f"{at:x}-{seal.hex()}"

    def _is_fresh(self, nonce: str) -> bool:
        try:
            at = int(nonce.partition("-")[0][:16], 16)
        except ValueError:
            return False
        is_ours = hmac.compare_digest(nonce.encode(), self._nonce(at).encode())
        return is_ours and 0 <= time.monotonic() - at <= FRESH


def is_digest(authorization: str) -> bool:
    """Whether a header is of this kind."""
    return authorization[:7].lower() == "digest "


def _fields(authorization: str) -> Mapping[str, str]:
    try:
        found = parse_keqv_list(parse_http_list(authorization[7:LENGTH_LIMIT]))
    except (ValueError, IndexError):
        return {}
    return {name.lower(): value for name, value in found.items()}


def _name(login: InfoPort, codec: str) -> bytes:
    """The user name as a header has it: starlette reads each byte as one sign."""
    return (login.username or "").encode(codec, "replace").decode("latin-1").encode()


def _response(login: InfoPort, codec: str, given: Mapping[str, str], method: str) -> str:
    who = f"{login.username}:{REALM}:{login.password}".encode(codec, "replace")
    words = (given.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
    asked = f"{method}:{given.get('uri', '')}".encode("latin-1", "replace")
    return _hash(":".join((_hash(who), *words, _hash(asked))).encode("latin-1", "replace"))


def _hash(text: bytes) -> str:
    return md5(text, usedforsecurity=False).hexdigest()
