"""The pages for people: the overview, `/explain` and `/freezes`.

`/` is read by old tools too, so its markup follows docs/webinfo.md sections 4 and 5; what
people see of it is drawn by its script.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from cccamd.errors import NumberError
from cccamd.ids import format_caid, format_service, parse_service
from cccamd.oldinfo import heading, home_block
from cccamd.web.context import WebContext, explain_link
from cccamd.why import CardAnswer, Explanation, Question

LENGTH_LIMIT: Final = 256
_TEMPLATES: Final = Environment(
    loader=PackageLoader("cccamd.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M:%S}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.{1 if seconds < 0.01 else 0}f} ms"


_TEMPLATES.filters |= {"clock": _clock, "ms": _milliseconds}
_TEMPLATES.globals["explain_link"] = explain_link


def routes(context: WebContext) -> Sequence[BaseRoute]:
    """Serve the pages for people."""
    return [
        Route("/", partial(_overview, context)),
        Route("/status.html", partial(_overview, context)),
        Route("/explain", partial(_explain, context)),
        Route("/freezes", partial(_freezes, context)),
    ]


async def _overview(context: WebContext, _: Request) -> Response:
    snapshot = await context.snapshot()
    # No newline may follow the old readers' end of the document.
    page = _render(
        "overview.html",
        heading=Markup(heading(snapshot.program)),
        block=Markup(home_block(snapshot)),
    )
    return HTMLResponse(page)


async def _explain(context: WebContext, request: Request) -> Response:
    query = request.query_params
    accounts = sorted((await context.snapshot()).accounts, key=str.casefold)
    given = {key: query.get(key, "") for key in ("account", "source", "channel")}
    try:
        question = read_question(query)
    except NumberError as error:
        page = _render("explain.html", accounts=accounts, given=given, problem=str(error))
        return HTMLResponse(page, 400)
    explanation = context.explain(question)
    page = _render(
        "explain.html",
        accounts=accounts,
        given=given | {"channel": _channel_text(question)},
        problem="",
        about=_about(question, context),
        explanation=explanation,
        groups=_groups(explanation),
    )
    return HTMLResponse(page)


def read_question(query: Mapping[str, str]) -> Question:
    """Read `account`, `source`, and `caid`, `ident`, `sid` or all three as `channel`.

    Raises:
        NumberError: a number is none, or too long.
    """
    given = (query.get(name, "") for name in ("caid", "ident", "sid"))
    caid, ident, sid = parse_service(query.get("channel", "").strip() or ":".join(given))
    return Question(
        account=query.get("account", "")[:LENGTH_LIMIT] or None,
        source=query.get("source", "")[:LENGTH_LIMIT] or None,
        caid=caid,
        ident=ident,
        sid=sid,
    )


def _groups(explanation: Explanation) -> list[list[CardAnswer]]:
    """Cards of one source with the same reasons stand together, those of use last."""
    groups: dict[tuple[object, ...], list[CardAnswer]] = {}
    for card in explanation.cards:
        groups.setdefault((card.usable, card.seen, card.source, card.findings), []).append(card)
    return sorted(groups.values(), key=lambda cards: (cards[0].usable, cards[0].seen))


def _channel_text(question: Question) -> str:
    if question.caid is None:
        return ""
    if question.ident is None or question.sid is None:
        return format_caid(question.caid)
    return format_service(question.caid, question.ident, question.sid)


def _about(question: Question, context: WebContext) -> str:
    """The channel's name, when it has one."""
    if question.caid is None or question.ident is None or question.sid is None:
        return ""
    return context.channel_name(question.caid, question.ident, question.sid) or ""


async def _freezes(context: WebContext, _: Request) -> Response:
    page = _render(
        "freezes.html",
        report=context.freezes(),
        service=format_service,
    )
    return HTMLResponse(page)


def _render(template: str, **words: object) -> str:
    return _TEMPLATES.get_template(template).render(words)
