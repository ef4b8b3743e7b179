"""`/api`, `/health` and `/ready`: JSON for machines, read only."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cccamd.web.apireports import Problem, Readiness
from cccamd.web.context import WebContext
from cccamd.web.endpoints import (
    ENDPOINTS,
    Answer,
    Endpoint,
    Explainer,
    explain_endpoint,
    explainer_of,
)
from cccamd.web.openapi import describe_api

_JSON = "application/json"


def api_routes(context: WebContext, explainer: Explainer | None = None) -> Sequence[BaseRoute]:
    """Serve all endpoints, and their description at `/api` and `/api/openapi.json`.

    `explainer` answers `/api/explain` instead of the context.
    """
    endpoints = (*ENDPOINTS, explain_endpoint(explainer or explainer_of(context)))
    description = json.dumps(describe_api(context.program, endpoints))

    async def describe(request: Request) -> Response:
        return Response(description, media_type=_JSON)

    return [
        *(Route(path, describe) for path in ("/api", "/api/openapi.json")),
        *(_route(endpoint, context) for endpoint in endpoints),
    ]


def _route(endpoint: Endpoint, context: WebContext) -> Route:
    writer: TypeAdapter[Any] = TypeAdapter(endpoint.model)

    async def show(request: Request) -> Response:
        try:
            query = endpoint.query.model_validate(dict(request.query_params))
        except ValidationError as error:
            problem = Problem(error=_describe(error))
            return Response(problem.model_dump_json(), status_code=400, media_type=_JSON)
        text, status = await run_in_threadpool(_write, endpoint.read(context, query), writer)
        return Response(text, status_code=status, media_type=_JSON)

    return Route(endpoint.path, show)


def _write(answer: Answer, writer: TypeAdapter[Any]) -> tuple[bytes, int]:
    """Make an answer and write it down, which for many cards takes a while."""
    value = answer()
    missing = isinstance(value, Readiness) and not value.ready
    return writer.dump_json(value), 503 if missing else 200


def _describe(error: ValidationError) -> str:
    """Name each wrong parameter, without repeating what was sent."""
    return "; ".join(
        f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()
    )
