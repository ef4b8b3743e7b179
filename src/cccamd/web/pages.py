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

from cccamd.errors import CccamdError
from cccamd.ids import Caid, Ident, Sid, format_service
from cccamd.web.context import WebContext, explain_link
from cccamd.web.oldwords import heading, home_block
from cccamd.why import CardAnswer, Explanation, Question

LENGTH_LIMIT: Final = 256
_DIGITS: Final = {"caid": 4, "ident": 6, "sid": 4}
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
    snapshot = context.snapshot()
    # No newline may follow the old readers' end of the document.
    page = _render(
        "overview.html",
        heading=Markup(heading(snapshot.program)),
        block=Markup(home_block(snapshot)),
    )
    return HTMLResponse(page)


async def _explain(context: WebContext, request: Request) -> Response:
    query = request.query_params
    accounts = sorted(context.snapshot().accounts, key=str.casefold)
    given = {key: query.get(key, "") for key in ("account", "source", "channel")}
    try:
        question = read_question(query)
    except QuestionError as error:
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


class QuestionError(CccamdError):
    """A question that cannot be read; the text is for the person who asked it."""


def read_question(query: Mapping[str, str]) -> Question:
    """Read `account`, `source`, and `caid`, `ident`, `sid` or all three as `channel`.

    Raises:
        QuestionError: a number is not hexadecimal, or too long.
    """
    numbers = _numbers(query)
    caid, ident, sid = numbers["caid"], numbers["ident"], numbers["sid"]
    return Question(
        account=query.get("account", "")[:LENGTH_LIMIT] or None,
        source=query.get("source", "")[:LENGTH_LIMIT] or None,
        caid=None if caid is None else Caid(caid),
        ident=None if ident is None else Ident(ident),
        sid=None if sid is None else Sid(sid),
    )


def _numbers(query: Mapping[str, str]) -> dict[str, int | None]:
    parts = {name: query.get(name, "").strip() for name in _DIGITS}
    channel = query.get("channel", "").strip()
    if channel:
        given = channel.split(":")
        if len(given) > len(_DIGITS):
            raise QuestionError(
                "write a channel as CAID:provider:SID, for instance 0B00:030B00:1D80"
            )
        parts |= dict(zip(_DIGITS, given, strict=False))
    return {name: _number(name, text.strip()) for name, text in parts.items()}


def _number(name: str, text: str) -> int | None:
    if not text:
        return None
    digits = _DIGITS[name]
    try:
        number = int(text, 16)
    except ValueError:
        number = -1
    if not 0 <= number < 16**digits or len(text) > digits + 2:
        what = "provider" if name == "ident" else name.upper()
        raise QuestionError(f"a {what} is up to {digits} hex digits")
    return number


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
        return f"{question.caid:04X}"
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
