"""What is said to those who get no page: in HTML to people, in JSON below `/api`, else in words.

The page for people needs no other file: whoever may see nothing gets no style sheet either. Its
few rules of style stand in it, and its content policy lets in just these.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Scope


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    advice: str
    plain: str


_WORDS: Final[Mapping[int, _Words]] = {
    401: _Words(
        "A login is needed",
        "User name and password are those of WEBINFO USERNAME and WEBINFO PASSWORD in CCcam.cfg;"
        " with only one of both set there, nobody gets in.",
        "Unauthorized",
    ),
    403: _Words(
        "This network is not allowed",
        "These pages answer local networks, and those that [network] allow in cccamd.toml names.",
        "Forbidden: this network is not allowed",
    ),
    404: _Words("There is no such page", "The overview leads to all there are.", "Not Found"),
    405: _Words(
        "These pages change nothing", "They can be read only.", "these pages change nothing"
    ),
    421: _Words(
        "Asked for by another name",
        "These pages answer to the names and addresses of their machine, and to those that"
        " [network] hosts in cccamd.toml lists.",
        "Misdirected: this name is not one of ours; cccamd.toml, [network] hosts, can add it",
    ),
    500: _Words("This page failed", "The log of the server says more about it.", "internal error"),
    503: _Words(
        "Too many ask at once", "Try again in a moment.", "too many requests at once: try again"
    ),
}
_STYLE: Final = """
:root{color-scheme:light dark;--ground:#f4f5f8;--surface:#fff;--line:#dfe3ea;--text:#18202c;
--dim:#566273;--accent:#1f4fd0}
@media (prefers-color-scheme:dark){:root{--ground:#0e1217;--surface:#161b22;--line:#2b333f;
--text:#e4e9f0;--dim:#98a4b5;--accent:#8ab0ff}}
body{margin:0;padding:1.25rem;background:var(--ground);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main{max-width:34rem;margin:8vh auto 0;padding:1.5rem;border:1px solid var(--line);
border-radius:10px;background:var(--surface)}
h1{margin:0 0 .5rem;font-size:1.35rem;letter-spacing:-.02em}
p{margin:.35rem 0}.dim{color:var(--dim)}
a{display:inline-block;min-height:24px;margin-right:1rem;color:var(--accent)}
"""
_HASH: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; form-action 'none';"
    " base-uri 'none'; frame-ancestors 'none'"
)
_LINKS: Final = '<p><a href="/">Overview</a><a href="/explain">Explain</a></p>'


def refusal(
    scope: Scope, status: int, *, text: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Say why there is no page. `text` replaces what is said otherwise, but for people."""
    words = _WORDS.get(status, _Words("That does not work", "", "error"))
    accept = Headers(scope=scope).get("accept", "")
    said = text or words.plain
    if str(scope.get("path", "")).startswith("/api"):
        body = json.dumps({"error": said})
        return Response(body, status, headers=headers, media_type="application/json")
    if "text/html" not in accept:
        return PlainTextResponse(f"{said}\n", status, headers=headers)
    policy = {"Content-Security-Policy": _POLICY}
    return HTMLResponse(_page(status, words), status, headers={**(headers or {}), **policy})


def _page(status: int, words: _Words) -> str:
    links = _LINKS if status not in (401, 403) else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(words.title)} &ndash; cccamd</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n'
        f'<p class="dim">cccamd · {status}</p>\n<h1>{escape(words.title)}</h1>\n'
        f"<p>{escape(words.advice)}</p>\n{links}\n</main>\n</body>\n</html>\n"
    )
