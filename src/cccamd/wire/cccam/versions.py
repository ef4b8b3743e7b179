"""Program versions, the builds that belong to them, and what two peers may use.

Source: docs/protocol.md sections 6, 9, 11 and 13.
"""

import re
from enum import Flag, auto
from functools import cache, lru_cache
from typing import Final, NamedTuple

from cccamd.facts import Revision


class Version(NamedTuple):
    """A program version as announced on the wire; compares as people expect."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


BUILDS: dict[Version, str] = {
    Version(2, 0, 11): "2892",
    Version(2, 1, 1): "2971",
    Version(2, 1, 2): "3094",
    Version(2, 1, 3): "3165",
    Version(2, 1, 4): "3191",
    Version(2, 2, 0): "3290",
    Version(2, 2, 1): "3316",
    Version(2, 3, 0): "3367",
}
"""The builds that original programs announced with each version."""

DEFAULT_VERSION = Version(2, 3, 0)
FIRST_V2_VERSION = Version(2, 2, 0)
TVHEADEND_BUILD = "tvh"


@lru_cache(maxsize=256)  # clients come with few, and each is looked at several times in a login
def parse_version(text: str) -> Version | None:
    """Read `2.3.0`; None for anything that is not three numbers."""
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    major, minor, patch = (int(part) for part in parts)
    return Version(major, minor, patch)


_LENIENT: Final = re.compile(r"\D{0,8}([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?", re.ASCII)


@lru_cache(maxsize=256)
def find_version(text: str) -> Version | None:
    """Read what clients really send: `2.3.0 `, `2.1.4-2971`, `v2.3`; None without a number.

    For comparing only. What both sides may use is decided by `parse_version`: to a peer that
    says strange things the older revision is the safer one.
    """
    found = _LENIENT.match(text)
    return Version(*(int(number or 0) for number in found.groups())) if found else None


class Capabilities(Flag):
    """What a PARTNER text offers, and after both spoke: what is agreed."""

    NONE = 0
    EXT = auto()
    """Many ECMs in flight, named by the flag byte; CWs not masked."""
    SID = auto()
    """Cards with SID lists (command 0x0F), whatever the versions say."""
    SLP = auto()
    """The sleep message (command 0x80)."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names on the wire, in their order."""
        return _names(self)


@cache  # there are eight
def _names(capabilities: Capabilities) -> tuple[str, ...]:
    return tuple(flag.name or "" for flag in capabilities)


ALL_CAPABILITIES = Capabilities.EXT | Capabilities.SID | Capabilities.SLP


def shared_revision(ours: Version, theirs: Version | None) -> Revision:
    """Name the revision that two announced versions agree on."""
    if theirs is None or min(ours, theirs) < FIRST_V2_VERSION:
        return Revision.V1
    return Revision.V2
