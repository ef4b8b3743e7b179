"""The web application: all routes behind one door."""

from collections.abc import Mapping, Sequence
from os import PathLike, stat_result
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from cccamd.web import live, manage, pages, records
from cccamd.web.access import Door
from cccamd.web.api import add_api
from cccamd.web.context import WebContext
from cccamd.web.doing import PATH as FORMS_TO
from cccamd.web.refusals import refusal

STATIC: Final = Path(__file__).parent / "static"


def create_app(context: WebContext, *, routes: Sequence[BaseRoute] = ()) -> FastAPI:
    """Put the pages together. `routes` are those of further pages, behind the same door.

    `app.state.feed` is the live view; close it before the server of the application stops.
    """
    feed = live.Feed(context)
    app = FastAPI(
        openapi_url=None,  # nor the pages about it, which load their scripts from elsewhere
        routes=[
            *pages.routes(context),
            *records.routes(context),
            *live.routes(context, feed),
            *manage.routes(context, lambda: feed.is_closed),
            *routes,
            Route("/favicon.ico", _icon),
            Mount("/static", _Files(directory=STATIC)),
        ],
        middleware=[
            Middleware(
                Door,
                admits=context.admits,
                login=context.login,
                check_login=context.check_login,
                hosts=context.hosts,
                forms_to=FORMS_TO,
                on_failure=context.on_failure,
            )
        ],
        exception_handlers={HTTPException: _refuse},
    )
    app.state.feed = feed
    add_api(app, context)
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    """Say what there is not."""
    assert isinstance(error, HTTPException)
    text = error.detail
    return refusal(request.scope, error.status_code, text=text, headers=error.headers)


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
