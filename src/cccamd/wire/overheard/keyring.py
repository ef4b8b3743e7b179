"""The passwords and DES keys that a recording may be opened with. They are never shown."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

ASKED_LIMIT: Final = 3
"""How often a person is asked for one password, or for a key."""
TRIED_LIMIT: Final = 4096

AskPassword = Callable[[str], bytes | None]
"""Given the user name, as it can be shown; None: nobody knows it."""
AskKey = Callable[[str], bytes | None]
"""Given the address of the server; 14 bytes, or None."""


class Keyring:
    """What is known from files, and who can be asked for the rest."""

    def __init__(
        self,
        *,
        passwords: Mapping[bytes, Iterable[bytes]] | None = None,
        keys: Iterable[bytes] = (),
        ask_password: AskPassword = lambda user: None,
        ask_key: AskKey = lambda server: None,
    ) -> None:
        """`passwords`: by user name; the same name may have several, at several servers."""
        self._passwords = {
            user: list(dict.fromkeys(known)) for user, known in (passwords or {}).items()
        }
        self._keys = list(dict.fromkeys(keys))
        self._ask_password = ask_password
        self._ask_key = ask_key
        self._given_up: set[bytes] = set()

    def password(self, user: bytes, fits: Callable[[bytes], bool]) -> tuple[bytes | None, bool]:
        """The password that fits, if one does; and whether any was tried."""
        known = self._passwords.setdefault(user, [])
        for password in known[:TRIED_LIMIT]:
            if fits(password):
                return password, True
        tried = bool(known)
        shown = _shown(user)
        for _ in range(ASKED_LIMIT):
            if user in self._given_up or (given := self._ask_password(shown)) is None:
                self._given_up.add(user)
                break
            tried = True
            known.append(given)
            if fits(given):
                return given, True
        return None, tried

    def key(self, server: str, fits: Callable[[bytes], bool]) -> tuple[bytes | None, bool]:
        """The DES key that fits, if one does; and whether any was tried."""
        for key in self._keys:
            if fits(key):
                return key, True
        tried = bool(self._keys)
        for _ in range(ASKED_LIMIT):
            asked = server.encode()
            if asked in self._given_up or (given := self._ask_key(server)) is None:
                self._given_up.add(asked)
                break
            tried = True
            self._keys.append(given)
            if fits(given):
                return given, True
        return None, tried


def _shown(user: bytes) -> str:
    text = user.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)
