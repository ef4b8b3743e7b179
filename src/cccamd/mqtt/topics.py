"""The names of topics. Whatever an account or a source is called, its topic is sound."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

STATUS: Final = "status"
ONLINE: Final = b"online"
OFFLINE: Final = b"offline"
SERVER: Final = "server"
INCIDENTS: Final = "incidents"
SOURCE: Final = "source"
RECEIVER: Final = "receiver"
KINDS: Final = (SOURCE, RECEIVER)
"""Things of which there are many: each has a topic below its kind."""
_PLAIN: Final = re.compile("[A-Za-z0-9_]{1,40}")
_SHOWN: Final = 24
_TOLD_APART: Final = 8


def slug(name: str) -> str:
    """A name as a part of a topic and of Home Assistant's ids: letters, digits, `_` and `-`.

    Names of letters, digits and `_` stay as they are; others end with `-` and eight digits of
    their hash, so that no two names become one.
    """
    if _PLAIN.fullmatch(name):
        return name
    digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_TOLD_APART]
    shown = re.sub("[^A-Za-z0-9_]+", "_", name[: 4 * _SHOWN])[:_SHOWN].strip("_")
    return f"{shown}-{digits}"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one server: below `PREFIX/NAME/`, and where Home Assistant looks."""

    prefix: str
    name: str
    discovery: str
    """Empty: Home Assistant is told nothing."""

    @property
    def base(self) -> str:
        """How all topics with values begin; no `/` at the end."""
        return f"{self.prefix}/{self.name}"

    @property
    def status(self) -> str:
        """`online` or `offline`."""
        return f"{self.base}/{STATUS}"

    @property
    def own(self) -> tuple[str, ...]:
        """Filters for everything that was ever published here."""
        return (f"{self.base}/+", *(f"{self.base}/{kind}/+" for kind in KINDS))

    @property
    def birth(self) -> str:
        """Where Home Assistant says that it is there; empty: it is of no interest."""
        return f"{self.discovery}/{STATUS}" if self.discovery else ""

    def values(self, kind: str, name: str = "") -> str:
        """Where the values of something stand: of the server, or of a source or receiver."""
        return f"{self.base}/{kind}/{slug(name)}" if name else f"{self.base}/{kind}"

    def document(self, kind: str, name: str = "") -> str:
        """Where Home Assistant reads what something is."""
        return self._document(f"{kind}_{slug(name)}" if name else kind)

    def document_of(self, values: str) -> str | None:
        """The same, for a topic with values that may be of before; None: it is not ours."""
        kind, _, name = values.removeprefix(f"{self.base}/").partition("/")
        if not self.discovery or not values.startswith(f"{self.base}/"):
            return None
        if kind in KINDS and name and "/" not in name:
            return self._document(f"{kind}_{name}")
        return self._document(kind) if kind == SERVER and not name else None

    def _document(self, thing: str) -> str:
        return f"{self.discovery}/device/cccamd_{self.name}_{thing}/config"
