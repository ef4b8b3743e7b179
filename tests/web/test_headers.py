"""Every answer, whatever its route and status, forbids a browser all that it need not do."""

from pathlib import Path

from browsing import get, serving
from contexts import a_context, full_context

from cccamd.setup.cccamcfg import InfoPort
from cccamd.web.app import create_app
from fact_factory import a_household

STRICT = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
STATIC = Path(__file__).parents[2] / "src" / "cccamd" / "web" / "static"


def judge(headers: dict[str, str], path: str) -> None:
    assert {name: headers.get(name) for name in STRICT} == STRICT, path
    policy = headers["content-security-policy"]
    for rule in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action"):
        assert rule in policy, path
    assert "unsafe" not in policy, path
    assert "camera=()" in headers["permissions-policy"], path
    assert headers["cache-control"] in ("no-store", "no-cache"), path
    assert "access-control-allow-origin" not in headers, path


async def test_every_route_is_strict() -> None:
    app = create_app(full_context())
    paths = {route.path.replace("{number}", "1") for route in app.routes if hasattr(route, "path")}
    paths |= {f"/static/{each.name}" for each in STATIC.iterdir()}
    paths |= {"/no/such/page", "/static/no.js", "/static/../app.py", "/explain?account=%00"}
    assert {"/", "/journal.csv", "/api/status", "/metrics", "/live/events"} <= paths
    async with serving(app) as port:
        for path in sorted(paths):
            for accept in ("text/html", "*/*"):
                answer = await get(port, path, f"Accept: {accept}", method="HEAD")
                judge(answer.headers, path)


async def test_refusals_are_as_strict() -> None:
    login = InfoPort(allowed=True, port=1, username="me", password="x")
    for context, number, method in (
        (a_context(a_household, login=login), "401", "GET"),
        (full_context(), "405", "POST"),
    ):
        async with serving(create_app(context)) as port:
            answer = await get(port, "/", "Accept: text/html", method=method)
            assert answer.status.split()[1] == number
            judge(answer.headers, number)
