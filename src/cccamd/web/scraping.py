"""The page that Prometheus reads."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cccamd.watch.metrics import Metrics, metrics_text
from cccamd.web.context import WebContext


def metrics_route(context: WebContext, metrics: Metrics) -> Route:
    """Serve `/metrics`."""

    async def show(request: Request) -> Response:
        collected = metrics.collect(context.snapshot(), context.freezes())
        accept = request.headers.get("accept", "")
        text, content_type = await run_in_threadpool(metrics_text, collected, accept)
        return Response(text, headers={"content-type": content_type})

    return Route("/metrics", show)
