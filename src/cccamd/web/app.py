"""The web application: all routes behind one door."""

from collections.abc import Mapping, Sequence
from os import PathLike, stat_result
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from cccamd.web import live, pages
from cccamd.web.access import Door
from cccamd.web.context import WebContext

STATIC: Final = Path(__file__).parent / "static"


def create_app(context: WebContext, *, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """Put the pages together. `routes` are those of further page modules, behind the same door.

    `app.state.feed` is the live view; close it before the server of the application stops.
    """
    feed = live.Feed(context)
    app = Starlette(
        routes=[
            *pages.routes(context),
            *live.routes(context, feed),
            *routes,
            Route("/favicon.ico", _icon),
            Mount("/static", _Files(directory=STATIC)),
        ],
        middleware=[Middleware(Door, admits=context.admits, login=context.login)],
    )
    app.state.feed = feed
    return app


async def _icon(_: Request) -> Response:
    """What browsers ask for beside pages that name no icon."""
    return FileResponse(STATIC / "icon.svg")


class _Files(StaticFiles):
    """Our own files: a browser keeps them, and asks whether they are still the same."""

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Mapping[str, object],
        status_code: int = 200,
    ) -> Response:
        """Answer with one file."""
        response = super().file_response(full_path, stat_result, dict(scope), status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response
