"""What cccamd.toml says of lines of CCcam.cfg and nobody can read: those lines are not used.

A restriction that cannot be read must never turn into no restriction. So a mistake in a table
takes the line that it is about out of use, as a mistake in the line itself does; and a file that
cannot be read at all takes out all lines, for it may be about any of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from cccamd.ids import USER_LENGTH, LoginKey, host_key
from cccamd.setup.files import Place

Partly = tuple[str | None, int | None, str | None]
"""Host, port and user of a C-line or N-line, as far as they can be read."""
Spoilt = Iterable[tuple[Place, Mapping[str, Any]]]
"""Tables with a mistake, and where it is."""
_LONGEST_NUMBER = 10**USER_LENGTH
"""No user has a longer name; and Python does not write all numbers that TOML can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Which lines are meant, and where the mistake is."""

    whole: Place | None = None
    """The file, if nothing of it can be read."""
    users: Mapping[str, Place] = field(default_factory=dict)
    """Of F-lines."""
    links: Mapping[Partly, Place] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.whole or self.users or self.links)

    def account(self, user: str) -> Place | None:
        """Where the mistake is that takes out an F-line; None: there is none."""
        return self.whole or self.users.get(user)

    def link(self, key: LoginKey) -> Place | None:
        """The same of a C-line or N-line."""
        if self.whole or not self.links:
            return self.whole
        host, port, user = key
        ways = product((host, None), (port, None), (user, None))
        return next((self.links[way] for way in ways if way in self.links), None)


def users_of(table: Mapping[str, Any]) -> Iterable[str]:
    """Whom an `[[account]]` may be about: if it has no user, anybody whom it names somehow."""
    user = table.get("user")
    if isinstance(user, str):
        return (user,)
    words = [each for each in table.values() if isinstance(each, str)]
    numbers = (each for each in table.values() if isinstance(each, int))
    return (*words, *(str(each) for each in numbers if abs(each) < _LONGEST_NUMBER))


def link_of(table: Mapping[str, Any]) -> Partly | None:
    """Which links an `[[upstream]]` may be about: what it does not say may be anything."""
    host, port, user = table.get("host"), table.get("port"), table.get("user")
    found: Partly = (
        host_key(host) if isinstance(host, str) else None,
        port if isinstance(port, int) else None,
        user if isinstance(user, str) else None,
    )
    return None if found == (None, None, None) else found


def unread_of(accounts: Spoilt, links: Spoilt) -> Unread:
    """Put together what tables with mistakes are about; of several the first mistake counts."""
    users: dict[str, Place] = {}
    parts: dict[Partly, Place] = {}
    for place, table in accounts:
        for user in users_of(table):
            users.setdefault(user, place)
    for place, table in links:
        if (link := link_of(table)) is not None:
            parts.setdefault(link, place)
    return Unread(users=users, links=parts)
