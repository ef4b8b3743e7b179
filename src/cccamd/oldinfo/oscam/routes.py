"""`/oscamapi.html` and `/oscamapi.json`: a question in, a document out. Nothing is changed by any.

Source: docs/oscamapi.md sections 1 and 7.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from cccamd.oldinfo.oscam import asjson, asxml
from cccamd.oldinfo.oscam.look import ApiLook

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

PATHS: Final = ("/oscamapi.html", "/oscamapi.json")
REFUSED: Final = "this server is only looked at here: actions are refused, nothing was changed"
_XML: Final = "text/xml; charset=utf-8"
_JSON: Final = "application/json"


class Asked(NamedTuple):
    """A question."""

    part: str = ""
    label: str = ""
    log: bool = False
    """The last lines of the log are wanted too."""


_XML_PARTS: Final[Mapping[str, Callable[[ApiLook, Asked], str]]] = {
    "status": lambda look, asked: asxml.status(look, log=asked.log),
    "entitlement": lambda look, asked: asxml.entitlement(look, asked.label),
    "readerstats": lambda look, asked: asxml.reader_stats(look, asked.label),
    "readerlist": lambda look, asked: asxml.reader_list(look),
    "userstats": lambda look, asked: asxml.user_stats(look),
    "ecmhistory": lambda look, asked: asxml.ecm_history(look),
    "failban": lambda look, asked: asxml.fail_ban(look),
}
_JSON_PARTS: Final[Mapping[str, Callable[[ApiLook, Asked], Mapping[str, asjson.Value]]]] = {
    "status": lambda look, asked: asjson.status(look),
    "entitlement": lambda look, asked: asjson.entitlement(look, asked.label),
    "readerstats": lambda look, asked: asjson.reader_stats(look, asked.label),
    "readerlist": lambda look, asked: asjson.reader_list(look),
    "userstats": lambda look, asked: asjson.user_stats(look),
    "failban": lambda look, asked: asjson.fail_ban(look),
}
"""`ecmhistory` is XML at both addresses, as it is at OSCam's."""


class Document(NamedTuple):
    """An answer."""

    body: bytes
    media_type: str


def document(look: ApiLook, asked: Asked, *, as_json: bool, refused: bool = False) -> Document:
    """Answer one question; whoever wants something done gets the frame with an error in it."""
    wrong = REFUSED if refused else f"there is no part {asked.part}: {', '.join(_XML_PARTS)}"
    if as_json and (refused or asked.part not in _XML_PARTS or asked.part in _JSON_PARTS):
        make = None if refused else _JSON_PARTS.get(asked.part)
        parts = asjson.error(wrong) if make is None else make(look, asked)
        blank = make is None or asked.part == "entitlement"
        body = "".join(asjson.frame(look, parts, totals=not blank))
        return Document(body.encode(), _JSON)
    draw = None if refused else _XML_PARTS.get(asked.part)
    inside = asxml.error(wrong) if draw is None else draw(look, asked)
    return Document(asxml.frame(look, inside).encode(), _XML)


def oscam_routes(*, look: Callable[[], Awaitable[ApiLook]]) -> "Sequence[BaseRoute]":
    """Serve them all; HEAD is answered like GET."""
    from starlette.responses import Response
    from starlette.routing import Route

    async def show(request: "Request") -> "Response":
        query, seen = request.query_params, await look()
        asked = Asked(
            part=query.get("part", "")[:40],
            label=query.get("label", "")[:200],
            log=query.get("appendlog", "0") not in ("", "0"),
        )
        acts = "action" in query
        # Ten thousand clients take a while to write, which no ECM should wait for.
        found = await asyncio.to_thread(
            document, seen, asked, as_json=request.url.path.endswith(".json"), refused=acts
        )
        status = 403 if acts else 200
        return Response(found.body, status, media_type=found.media_type)

    return [Route(path, show) for path in PATHS]
