"""The old info pages: `/clients`, `/servers`, `/shares` and their kin.

Tools on receivers cut them at fixed words and signs. What stands before the heading must
not hold `|`, nor the words `Welcome`, `server`, `Current` or `card`; there is one H2 and one
PRE, in capitals; nothing follows `</BODY></HTML>`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cccamd.facts import Snapshot
from cccamd.oldinfo.oldtables import (
    Look,
    active_clients_text,
    clients_text,
    entitlements_text,
    providers_text,
    servers_text,
    shares_text,
)
from cccamd.oldinfo.words import heading

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

TITLE: Final = "CCcam info pages"
"""What all these pages are called; one reader deletes just these words."""

OLD_TEXTS: Final[Mapping[str, Callable[[Snapshot, Look], str]]] = {
    "activeclients": active_clients_text,
    "clients": clients_text,
    "servers": lambda snapshot, look: servers_text(snapshot),
    "shares": lambda snapshot, look: shares_text(snapshot),
    "providers": providers_text,
    "entitlements": lambda snapshot, look: entitlements_text(snapshot),
}
"""The text of each page, by its name: the web page's path, and the telnet command."""

_BUTTONS: Final = (
    ("/", "Home"),
    ("/activeclients", "Active Clients"),
    ("/clients", "Clients"),
    ("/servers", "Servers"),
    ("/shares", "Shares"),
    ("/providers", "Providers"),
    ("/entitlements", "Entitlements"),
)
_HEAD: Final = f"""<!DOCTYPE html>
<HTML LANG="en"><HEAD><META CHARSET="utf-8"><TITLE>{TITLE}</TITLE>
<META NAME="viewport" CONTENT="width=device-width"><META NAME="color-scheme" CONTENT="light dark">
</HEAD><BODY>
"""


def old_page(program: str, text: str) -> str:
    """Frame one text: heading, buttons, the text, buttons."""
    buttons = _buttons()
    begin = "<PRE>\n" if text else "<PRE>"  # an empty text stays empty: that too is read
    body = f"{heading(program)}\n{buttons}{begin}{text}</PRE>\n{buttons}"
    return f"{_HEAD}{body}</BODY></HTML>"


def _buttons() -> str:
    """One form, whose buttons leave no text behind when a reader strips the tags."""
    inputs = "\n".join(
        f'<INPUT TYPE="submit" FORMACTION="{path}" VALUE="{name}">' for path, name in _BUTTONS
    )
    return f"<FORM>\n{inputs}\n</FORM>\n"


def old_page_routes(
    *, snapshot: Callable[[], Awaitable[Snapshot]], look: Callable[[], Look]
) -> "Sequence[BaseRoute]":
    """Serve the old pages except `/`, which the front page is; HEAD is answered like GET."""
    from starlette.routing import Route  # loaded with the pages; telnet has no need of it

    return [
        Route(f"/{name}", _endpoint(text, snapshot=snapshot, look=look))
        for name, text in OLD_TEXTS.items()
    ]


def _endpoint(
    text: Callable[[Snapshot, Look], str],
    *,
    snapshot: Callable[[], Awaitable[Snapshot]],
    look: Callable[[], Look],
) -> "Callable[[Request], object]":
    from starlette.responses import HTMLResponse

    async def show(request: "Request") -> "Response":
        seen = await snapshot()
        # Twenty thousand shares take a while to draw, which no ECM should wait for.
        drawn = await asyncio.to_thread(text, seen, look())
        return HTMLResponse(old_page(seen.program, drawn))

    return show
