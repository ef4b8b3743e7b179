"""The passwords and DES keys that a recording may be opened with. They are never shown."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

ASKED_LIMIT: Final = 3
"""How often a person is asked for one password, or for one key."""
QUESTIONS_LIMIT: Final = 20
"""How often in all: a capture may hold thousands of names."""
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
        self._questions = 0

    def password(self, user: bytes, fits: Callable[[bytes], bool]) -> tuple[bytes | None, bool]:
        """The password that fits, if one does; and whether any was tried."""
        known = self._passwords.setdefault(user, [])
        for password in known[:TRIED_LIMIT]:
            if fits(password):
                return password, True
        tried = bool(known)
        for given in self._answers(user, lambda: self._ask_password(_shown(user))):
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
        for given in self._answers(server.encode(), lambda: self._ask_key(server)):
            tried = True
            self._keys.append(given)
            if fits(given):
                return given, True
        return None, tried

    def _answers(self, subject: bytes, ask: Callable[[], bytes | None]) -> Iterator[bytes]:
        """What a person says, who is asked until there is nothing said, or often enough."""
        if subject in self._given_up:
            return
        for _ in range(ASKED_LIMIT):
            if self._questions >= QUESTIONS_LIMIT:
                return
            self._questions += 1
            given = ask()
            if given is None:
                break
            yield given
        if len(self._given_up) < QUESTIONS_LIMIT:
            self._given_up.add(subject)


def _shown(user: bytes) -> str:
    text = user.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)
