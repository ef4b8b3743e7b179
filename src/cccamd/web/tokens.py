"""Proof that a form was drawn by us, for whoever is logged in: what a foreign page cannot have.

A browser sends the login of HTTP Basic along with whatever any page makes it send. So each form
holds a token that only who can read our pages knows: a time, and a keyed hash of it and the
login. The key is made anew by each server that starts; nothing has to be kept. Sans-IO.
"""

import hmac
from hashlib import blake2b
from typing import Final

from cccamd.setup.cccamcfg import InfoPort

LIFETIME: Final = 12 * 3600
"""Seconds: a page may stand open over a day's work."""
TOKEN_LIMIT: Final = 64
"""Characters."""
_SIZE: Final = 20
"""Bytes of the hash."""


class Tokens:
    """Makes and checks them. Times are seconds of any clock that nobody can set."""

    def __init__(self, key: bytes) -> None:
        """`key`: up to 64 random bytes."""
        self._key = key

    def make(self, login: InfoPort, now: float) -> str:
        """Make one for a form."""
        issued = int(now)
        return f"{issued:x}.{self._sign(issued, login)}"

    def holds(self, token: str, login: InfoPort, now: float) -> bool:
        """Whether a form was drawn by this server, for this login, not too long ago."""
        head, _, sign = token.partition(".")
        try:
            issued = int(head, 16)
        except ValueError:
            return False
        # Compared in any case, and whatever its letters: the time that it takes tells nothing.
        is_ours = hmac.compare_digest(sign.encode(), self._sign(issued, login).encode())
        return is_ours and 0 <= int(now) - issued <= LIFETIME

    def _sign(self, issued: int, login: InfoPort) -> str:
        words = (str(issued), login.username or "", login.password or "")
        data = b"".join(len(word.encode()).to_bytes(4) + word.encode() for word in words)
        return blake2b(data, key=self._key, digest_size=_SIZE).hexdigest()
