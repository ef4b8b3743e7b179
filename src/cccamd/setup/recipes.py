"""What to enter in which program, so that it takes its control words from here.

One table: the programs, the ways that each of them knows in the order we would take them, and
what it wants to be told for each. Source: docs/clients.md says the same in words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cccamd.ids import format_endpoint


class Way(Enum):
    """A protocol; the value is what `--over` takes."""

    CCCAM = "cccam"
    NEWCAMD = "newcamd"
    DVBAPI = "dvbapi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where a program gets in: one of the ways that are open to an account."""

    way: Way
    host: str
    port: int
    user: str = ""
    password: str = ""
    key: str = ""
    """Of newcamd: 28 hex digits."""
    socket: str = ""
    """Of dvbapi: a path, instead of a port."""

    @property
    def spaced_key(self) -> str:
        """The key as most programs write it: 14 numbers."""
        return " ".join(self.key[at : at + 2] for at in range(0, len(self.key), 2))


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a person does."""

    where: str
    """A file, or a menu."""
    text: str
    """What stands there then: to be pasted, or to be entered field by field."""
    note: str = ""


def _c_line(file: str) -> Callable[[Door], Recipe]:
    return lambda door: Recipe(file, f"C: {door.host} {door.port} {door.user} {door.password}")


def _fields(where: str, note: str, *names: str) -> Callable[[Door], Recipe]:
    """Fields of a menu, each `name: {word of the door}`."""

    def make(door: Door) -> Recipe:
        words = {
            "host": door.host,
            "port": str(door.port),
            "user": door.user,
            "password": door.password,
            "key": door.spaced_key,
            "place": door.socket or format_endpoint(door.host, door.port),
            "socket": door.socket,
        }
        lines = [name.format_map(words) for name in names]
        return Recipe(where, "\n".join(lines), note)

    return make


def _oscam(door: Door) -> Recipe:
    own = f"key = {door.key}" if door.way is Way.NEWCAMD else "cccversion = 2.3.0"
    lines = [
        "[reader]",
        "label = cccamd",
        f"protocol = {door.way.value}",
        f"device = {door.host},{door.port}",
        f"user = {door.user}",
        f"password = {door.password}",
        own,
        "group = 1",
    ]
    note = "the group must be one of those that your users in oscam.user have"
    return Recipe("oscam.server", "\n".join(lines), note)


def _cws(door: Door) -> Recipe:
    line = f"CWS = {door.host} {door.port} {door.user} {door.password} {door.spaced_key} lan"
    return Recipe("newcamd.list", line)


def _tvheadend_dvbapi(door: Door) -> Recipe:
    names = (
        ("Mode: OSCam new pc-nodmx", "Camd.socket filename: {socket}")
        if door.socket
        else (
            "Mode: OSCam net protocol",
            "Camd.socket filename / IP Address: {host}",
            "Listen / Connect port: {port}",
        )
    )
    made = _fields(
        "Configuration, CAs: add a CAPMT client, disabled; save; then enable it",
        "a client that is changed again at once loses its thread, a fault of tvheadend",
        *names,
    )
    return made(door)


_PLUGIN: Final = "the set-up of the plug-in dvbapi"

PROGRAMS: Final[Mapping[str, Mapping[Way, Callable[[Door], Recipe]]]] = {
    "cccam": {Way.CCCAM: _c_line("CCcam.cfg")},
    "enigma2": {
        Way.CCCAM: _c_line("/etc/CCcam.cfg on the receiver, for its CCcam"),
        Way.NEWCAMD: _cws,
    },
    "oscam": {Way.CCCAM: _oscam, Way.NEWCAMD: _oscam},
    "mgcamd": {Way.NEWCAMD: _cws, Way.CCCAM: _c_line("cccamd.list")},
    "tvheadend": {
        Way.DVBAPI: _tvheadend_dvbapi,
        Way.NEWCAMD: _fields(
            "Configuration, CAs: add a code word client (newcamd)",
            "",
            "Hostname/IP: {host}",
            "Port: {port}",
            "Username: {user}",
            "Password: {password}",
            "DES key: {key}",
        ),
        Way.CCCAM: _fields(
            "Configuration, CAs: add a CCcam client",
            "",
            "Hostname/IP: {host}",
            "Port: {port}",
            "Username: {user}",
            "Password: {password}",
        ),
    },
    "minisatip": {Way.DVBAPI: _fields("its command line", "", "--dvbapi {place}")},
    "vdr": {
        Way.DVBAPI: _fields(
            _PLUGIN, "", "network mode: yes", "OSCam server: {host}", "OSCam port: {port}"
        )
    },
}
"""By the name that `--for` takes."""
