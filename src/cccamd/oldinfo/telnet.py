"""The telnet information service: a command in, a text out.

The server speaks first. Without a login one line, the command, gets the answer; with
TELNETINFO USERNAME and PASSWORD there are three lines: user name, password, command. The
answer is the text of the web page of the same name. So a pipe can do it all at once:

    printf 'clients\\n' | nc localhost 16000
    printf 'me\\nsecret\\nclients\\n' | nc box 16000
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Final

from cccamd.errors import NumberError
from cccamd.facts import Snapshot
from cccamd.ids import parse_address
from cccamd.oldinfo.oldpages import OLD_TEXTS
from cccamd.oldinfo.oldtables import Look
from cccamd.oldinfo.words import home_lines, version_word
from cccamd.setup.cccamcfg import InfoPort

GREETING: Final = "Welcome to the CCcam information client.\n"
"""One reader waits for exactly these words."""
COMMANDS: Final = ("info", *OLD_TEXTS)
_WITH_VERSION: Final = frozenset({"info", "activeclients", "clients", "servers"})
_WRONG_LOGIN_DELAY: Final = 1.0
"""Seconds: who tries passwords gets few tries."""

_HELP: Final = f"Unknown command. The commands are: {', '.join(COMMANDS)}.\n"
_WRONG_LOGIN: Final = (
    "\nLogin failed. Send the user name, the password and a command, each on a line of its own.\n"
)
_NO_LOGIN_SET: Final = (
    "Only this machine itself gets answers: TELNETINFO USERNAME and TELNETINFO PASSWORD are not"
    " set in CCcam.cfg.\n"
)
_HALF_A_LOGIN: Final = (
    "Nobody gets answers: CCcam.cfg sets only one of TELNETINFO USERNAME and TELNETINFO PASSWORD.\n"
)


def telnet_answer(command: str, snapshot: Snapshot, look: Look) -> str:
    """Answer one command; an unknown one with the list of those that there are."""
    name = command.strip().lower()
    if name not in COMMANDS:
        return _HELP
    version = f"CCcam {version_word(snapshot.program)}\n" if name in _WITH_VERSION else ""
    if name == "info":
        return f"\n{version}" + "\n".join(home_lines(snapshot)) + "\n\n"
    return f"\n{version}{OLD_TEXTS[name](snapshot, look)}\n"


def telnet_refusal(address: str, login: InfoPort) -> str:
    """Why an address that was let in gets no answers at all; empty: it may go on."""
    if not login.is_protected:
        return "" if _is_loopback(address) else _NO_LOGIN_SET
    return _HALF_A_LOGIN if login.username is None or login.password is None else ""


def _is_loopback(address: str) -> bool:
    try:
        return parse_address(address).is_loopback
    except NumberError:
        return False


class TelnetDialogue:
    """One connection, line by line. `InfoListener` gives it the lines."""

    def __init__(
        self,
        *,
        snapshot: Callable[[], Awaitable[Snapshot]],
        look: Callable[[], Look],
        login: InfoPort,
        refusal: str = "",
        check_login: Callable[[bytes, bool], Awaitable[bool]] | None = None,
        wrong_login_delay: float = _WRONG_LOGIN_DELAY,
    ) -> None:
        self.finished = bool(refusal)
        """Nothing more is wanted; what was returned last is to be sent."""
        self.greeting = (GREETING + refusal).encode()
        self._snapshot = snapshot
        self._look = look
        self._login = login
        self._check_login = check_login
        self._delay = wrong_login_delay
        self._wanted = ["username", "password", "command"] if login.is_protected else ["command"]
        self._username = b""
        self._logged_in = not login.is_protected
        if login.is_protected and not refusal:
            self.greeting += b"Username: "

    async def hear(self, line: bytes) -> bytes:
        """Take one line without its end, and return what to say to it."""
        match self._wanted.pop(0):
            case "username":
                self._username = line
                return b"Password: "
            case "password":
                return await self._check(line)
            case _:
                self.finished = True
                return (await self._answer(line)).encode()

    def hear_end(self) -> bytes:
        """Take the end of all lines, before there was a command."""
        self.finished = True
        return (_HELP if self._logged_in else _WRONG_LOGIN).encode()

    async def _check(self, password: bytes) -> bytes:
        # Both are compared always: the time taken tells nothing.
        right = _equals(self._login.username, self._username) & _equals(
            self._login.password, password
        )
        if self._check_login is not None:
            right = await self._check_login(self._username, right)
        if right:
            self._logged_in = True
            return b"Command: "
        self.finished = True
        await asyncio.sleep(self._delay)
        return _WRONG_LOGIN.encode()

    async def _answer(self, line: bytes) -> str:
        snapshot = await self._snapshot()
        command = line.decode(errors="replace")
        return await asyncio.to_thread(telnet_answer, command, snapshot, self._look())


def _equals(expected: str | None, given: bytes) -> bool:
    """Compare with what the configuration says, in either of the two encodings people have."""
    if expected is None:
        return False
    latin = expected.encode("latin-1", errors="replace")
    return hmac.compare_digest(expected.encode(), given) | hmac.compare_digest(latin, given)
