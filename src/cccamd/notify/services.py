"""The services that messages go to: a thin wall around apprise, which speaks to all of them.

Their addresses hold keys and passwords. So nothing that apprise says is shown or logged: a service
is called by its place in the list and by its kind.
"""

import logging
from typing import TYPE_CHECKING, Final

from cccamd.errors import CccamdError
from cccamd.notify.outbox import Message

if TYPE_CHECKING:
    import apprise

_TALKATIVE: Final = ("apprise", "urllib3")
"""Loggers of the library, and of what it speaks HTTP with: paths hold keys, too."""
MISSING: Final = "apprise is not installed: pip install 'cccamd[notify]'"


class ServiceError(CccamdError):
    """An address that no message can be sent to; the text names no part of it but its kind."""


class Service:
    """One service. What it does blocks: for threads."""

    def __init__(self, name: str, opened: "apprise.Apprise") -> None:
        self.name = name
        """`number 2 of [notify] urls (ntfys)`."""
        self._opened = opened

    def send(self, message: Message) -> bool:
        """Send a message; False: it was not taken."""
        title, body, is_over = message
        kind = "success" if is_over else "warning"
        try:
            return bool(self._opened.notify(body=body, title=title, notify_type=kind))
        except Exception:  # of the library, about an address that nobody is to see
            return False


def kind_of(url: str) -> str:
    """What comes before the colon, if that can be shown."""
    scheme = url.partition("://")[0]
    return scheme.lower() if scheme.isalnum() and len(scheme) <= 20 else "?"


def name_of(number: int, url: str) -> str:
    """How a service is called: by its place, counted from 1."""
    return f"number {number} of [notify] urls ({kind_of(url)})"


def open_service(number: int, url: str) -> Service:
    """Make a service of an address as apprise writes it; its place in the list names it.

    Raises:
        ServiceError: apprise is missing, or does not know such an address.
    """
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        import apprise  # 30 MiB, and half a second: only for those who want it
    except ImportError:
        raise ServiceError(MISSING) from None
    asset = apprise.AppriseAsset(app_id="cccamd", app_desc="cccamd", async_mode=False)
    opened = apprise.Apprise(asset=asset)
    try:
        known = opened.add(url)
    except Exception:
        known = False
    name = name_of(number, url)
    if not known:
        raise ServiceError(f"{name} is no address that apprise knows; its documentation has them")
    return Service(name, opened)
