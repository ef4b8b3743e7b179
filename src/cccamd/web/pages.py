"""The pages for people: the overview, `/explain`, `/freezes` and each single freeze.

`/` is read by old tools too, so its markup follows docs/webinfo.md sections 4 and 5; what
people see of it is drawn by its script.
"""

import asyncio
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from cccamd.errors import NumberError
from cccamd.facts import ChannelMargin, ServiceId
from cccamd.ids import format_caid, format_service, parse_service, plain_address
from cccamd.oldinfo import heading, home_block
from cccamd.web.context import WebContext, explain_link
from cccamd.web.refusals import refusal
from cccamd.why import CardAnswer, Explanation, Finding, Question

LENGTH_LIMIT: Final = 256
FREEZES_SHOWN: Final = 100
MARGINS_SHOWN: Final = 60
CHANNELS_FOUND: Final = 40
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_CAID: Final = re.compile(r"(0[xX])?[0-9A-Fa-f]{1,4}")
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
_TEMPLATES.globals |= {"explain_link": explain_link, "service_text": format_service}


def routes(context: WebContext) -> Sequence[BaseRoute]:
    """Serve the pages for people."""
    return [
        Route("/", partial(_overview, context)),
        Route("/status.html", partial(_overview, context)),
        Route("/explain", partial(_explain, context)),
        Route("/freezes", partial(_freezes, context)),
        Route("/freezes/{number}", partial(_freeze, context)),
    ]


async def _overview(context: WebContext, _: Request) -> Response:
    snapshot = await context.snapshot()
    # No newline may follow the old readers' end of the document.

    def draw() -> str:
        return render(
            context,
            "overview.html",
            heading=Markup(heading(snapshot.program)),
            block=Markup(home_block(snapshot)),
        )

    return HTMLResponse(await asyncio.to_thread(draw))


async def _explain(context: WebContext, request: Request) -> Response:
    query = dict(request.query_params)
    names = (await context.snapshot()).accounts
    accounts = await asyncio.to_thread(sorted, names, key=str.casefold)
    given = {
        key: query.get(key, "")[:LENGTH_LIMIT]
        for key in ("account", "address", "source", "channel")
    }
    show = partial(render, context, "explain.html", accounts=accounts)
    found: Sequence[ServiceId] = ()
    if is_name(given["channel"]):
        found = await asyncio.to_thread(context.find_channels, given["channel"], CHANNELS_FOUND + 1)
        if len(found) != 1:
            problem = "" if found else "no channel in CCcam.channelinfo is called so"
            more = len(found) > CHANNELS_FOUND
            some = found[:CHANNELS_FOUND]
            page = partial(show, given=given, problem=problem, found=some, found_more=more)
            return HTMLResponse(await asyncio.to_thread(page))
        query["channel"] = format_service(found[0].caid, found[0].ident, found[0].sid)
    try:
        question = read_question(query)
    except NumberError as error:
        page = partial(show, given=given, problem=str(error), found=())
        return HTMLResponse(await asyncio.to_thread(page), 400)
    explanation = await context.explain(question)

    def draw() -> str:
        return show(
            given=given | {"channel": _channel_text(question)},
            problem="",
            found=(),
            about=_about(question, context),
            explanation=explanation,
            groups=_groups(explanation),
        )

    return HTMLResponse(await asyncio.to_thread(draw))


def is_name(text: str) -> bool:
    """Whether this is meant as the name of a channel: it is no CAID, and has no colon."""
    words = text.strip()
    return bool(words) and ":" not in words and not _CAID.fullmatch(words)


def read_question(query: Mapping[str, str]) -> Question:
    """Read `account`, `address`, `source`, and `caid`, `ident`, `sid` or all three as `channel`.

    Raises:
        NumberError: a number is none, or too long.
    """
    address = query.get("address", "").strip()[:LENGTH_LIMIT]
    given = (query.get(name, "") for name in ("caid", "ident", "sid"))
    caid, ident, sid = parse_service(query.get("channel", "").strip() or ":".join(given))
    return Question(
        account=query.get("account", "")[:LENGTH_LIMIT] or None,
        address=plain_address(address) if address else None,
        source=query.get("source", "")[:LENGTH_LIMIT] or None,
        caid=caid,
        ident=ident,
        sid=sid,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cards with one cause and one remedy, wherever they come from."""

    key: str
    cards: tuple[CardAnswer, ...]
    findings: tuple[Finding, ...]
    """Each that is said of any of them, once."""

    @property
    def is_mixed(self) -> bool:
        """Whether they come from several sources."""
        return len({card.source for card in self.cards}) > 1

    @property
    def sources(self) -> str:
        """Where they come from, in words."""
        counts = Counter(card.source for card in self.cards)
        if len(counts) == 1:
            return self.cards[0].source
        named = ", ".join(f"{source} ({count})" for source, count in counts.most_common(6))
        more = len(counts) - 6
        return f"{named} and {more} more" if more > 0 else named


def _groups(explanation: Explanation) -> list[Group]:
    """What is of use comes last: one looks here because something is not."""
    groups: dict[tuple[object, ...], list[CardAnswer]] = {}
    for card in explanation.cards:
        causes = tuple((one.code, one.change, one.setting) for one in card.findings)
        groups.setdefault((card.usable, card.seen, card.taken, causes), []).append(card)
    ordered = sorted(groups.values(), key=lambda cards: (cards[0].usable, cards[0].seen))
    return [
        Group(
            key=" ".join(one.code for one in cards[0].findings) + f" {cards[0].source}",
            cards=tuple(cards),
            findings=_said_of(cards),
        )
        for cards in ordered
    ]


def _said_of(cards: Sequence[CardAnswer]) -> tuple[Finding, ...]:
    """The findings of a group; where only the words differ, the first few of them."""
    texts = dict.fromkeys(finding for card in cards for finding in card.findings)
    by_code: dict[str, list[Finding]] = {}
    for finding in texts:
        by_code.setdefault(finding.code, []).append(finding)
    return tuple(finding for same in by_code.values() for finding in same[:3])


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
    report = await context.freezes()

    def draw() -> str:
        by_urgency = sorted(report.channels, key=_urgency)
        return render(
            context,
            "freezes.html",
            report=replace(report, freezes=report.freezes[:FREEZES_SHOWN]),
            watched=by_urgency[:MARGINS_SHOWN],
            unshown=max(0, len(by_urgency) - MARGINS_SHOWN),
        )

    return HTMLResponse(await asyncio.to_thread(draw))


def _urgency(channel: ChannelMargin) -> tuple[bool, bool, float]:
    """What stands still first, then what is about to, then by the time that is left."""
    left = channel.margin
    return (not channel.frozen, not channel.forecast, left if left is not None else math.inf)


async def _freeze(context: WebContext, request: Request) -> Response:
    number = request.path_params["number"]
    found = await context.freeze(int(number)) if _NUMBER.fullmatch(number) else None
    if found is None:
        return refusal(request.scope, 404, text="no such freeze is known here")
    return HTMLResponse(render(context, "freeze.html", freeze=found))


def render(context: WebContext, template: str, **words: object) -> str:
    """Fill a template in; with thousands of accounts this is for a thread."""
    return _TEMPLATES.get_template(template).render(words | {"is_managed": context.is_managed})
