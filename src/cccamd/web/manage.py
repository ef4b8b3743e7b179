"""The pages from which something can be done: accounts, links and bans, the log as it grows.

They are there behind a login only. What their buttons do is in `doing`.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cccamd.facts import ClientStatus, LinkState, Snapshot, SourceStatus, Step
from cccamd.ids import format_endpoint
from cccamd.web.context import WebContext
from cccamd.web.doing import PATH, REFERRER, Doing, is_address, refuse, say
from cccamd.web.hands import AccountRow, Hands, NumberedLine
from cccamd.web.pages import LENGTH_LIMIT, render

LOG_PATH: Final = "/manage/log/events"
"""Where the log is followed."""
ROWS_SHOWN: Final = 200
"""Accounts on the page; words find the others."""
PULSE: Final = 1.0
"""Seconds of silence after which a stream says that it still lives, and looks whether it may."""
_PULSE: Final = "event: pulse\ndata: .\n\n"


def routes(context: WebContext, is_closing: Callable[[], bool]) -> Sequence[BaseRoute]:
    """Serve the pages. `is_closing`: whether live views are to end."""
    doing = Doing(context)
    return [
        Route("/manage", partial(_accounts, doing)),
        Route("/manage/account", partial(_account, doing)),
        Route("/manage/server", partial(_server, doing)),
        Route("/manage/log", partial(_log, doing)),
        Route("/manage/log.txt", partial(_log_file, doing)),
        Route(LOG_PATH, partial(_log_events, doing, is_closing)),
        Route(PATH, doing.take, methods=["GET", "POST"]),
    ]


def _page(doing: Doing, template: str, **words: object) -> Response:
    page = render(doing.context, template, token=doing.token(), to=PATH, **words)
    return HTMLResponse(page, headers=REFERRER)


def _hands(context: WebContext) -> Hands:
    hands = context.hands()
    assert hands is not None  # `refuse` has looked
    return hands


def _word(request: Request, name: str) -> str:
    return request.query_params.get(name, "")[:LENGTH_LIMIT]


# Accounts.


async def _accounts(doing: Doing, request: Request) -> Response:
    if (refused := refuse(doing.context, request)) is not None:
        return refused
    words = _word(request, "words").strip()
    book = await _hands(doing.context).book()
    snapshot = await doing.context.snapshot()
    logged_in = {client.account for client in snapshot.clients}
    found = [row for row in book.rows if words.casefold() in row.name.casefold()]
    return _page(
        doing,
        "accounts.html",
        rows=[(row, *state_of(row, row.name in logged_in)) for row in found[:ROWS_SHOWN]],
        found=len(found),
        count=len(book.rows),
        trouble=book.trouble,
        words=words,
    )


def state_of(row: AccountRow, is_logged_in: bool) -> tuple[str, str]:
    """How an account is, in a word and a tone."""
    if not row.is_on:
        return "switched off", ""
    if not row.in_use:
        return "not in use", "bad"
    return ("logged in", "good") if is_logged_in else ("not logged in", "")


async def _account(doing: Doing, request: Request) -> Response:
    if (refused := refuse(doing.context, request)) is not None:
        return refused
    name = _word(request, "name")
    book = await _hands(doing.context).book()
    row = next((each for each in book.rows if each.name == name), None)
    if row is None:
        text = book.trouble or f"There is no account {name}."
        return say(doing.context, request, 404, text)
    snapshot = await doing.context.snapshot()
    clients = _clients_of(snapshot, name)
    state, tone = state_of(row, bool(clients))
    return _page(
        doing,
        "account.html",
        row=row,
        clients=clients,
        state=state,
        tone=tone,
        trouble=book.trouble,
    )


def _clients_of(snapshot: Snapshot, name: str) -> list[tuple[ClientStatus, str]]:
    """Its connections, each with the words by which it is sent away."""
    ours = [each for each in snapshot.clients if each.account == name]
    return [(each, format_endpoint(each.address, each.port or None)) for each in ours]


# Links, bans, files.


async def _server(doing: Doing, request: Request) -> Response:
    if (refused := refuse(doing.context, request)) is not None:
        return refused
    snapshot = await doing.context.snapshot()
    return _page(
        doing,
        "server.html",
        links=[(each, *_link_state(each)) for each in snapshot.sources if each.line],
        penalties=[(each, is_address(each.who)) for each in snapshot.penalties],
        config=snapshot.config,
    )


def _link_state(source: SourceStatus) -> tuple[str, str, bool]:
    """In a word and a tone, and whether it is paused by hand."""
    if source.state is LinkState.UP:
        return source.state.value, "good", False
    if source.failed_step is Step.PAUSED:
        return "paused", "warn", True
    return source.state.value, "bad", False


# The log.


async def _log(doing: Doing, request: Request) -> Response:
    if (refused := refuse(doing.context, request)) is not None:
        return refused
    account, words = _word(request, "account"), _word(request, "words").strip()
    lines = _chosen(_hands(doing.context), account, words)
    accounts = sorted((await doing.context.snapshot()).accounts, key=str.casefold)
    return _page(
        doing,
        "log.html",
        lines=lines,
        account=account,
        accounts=accounts,
        words=words,
        query=request.url.query,
        last=lines[-1].number if lines else 0,
    )


async def _log_file(doing: Doing, request: Request) -> Response:
    if (refused := refuse(doing.context, request)) is not None:
        return refused
    account, words = _word(request, "account"), _word(request, "words").strip()
    lines = _chosen(_hands(doing.context), account, words)
    headers = {"Content-Disposition": 'attachment; filename="cccamd-log.txt"'}
    return PlainTextResponse("".join(f"{line.text}\n" for line in lines), headers=headers)


def _chosen(hands: Hands, account: str, words: str) -> list[NumberedLine]:
    return [line for line in hands.last_lines(account) if _has(line, words)]


def _has(line: NumberedLine, words: str) -> bool:
    return words.casefold() in line.text.casefold()


async def _log_events(doing: Doing, is_closing: Callable[[], bool], request: Request) -> Response:
    if (refused := refuse(doing.context, request)) is not None:
        return refused
    if request.method == "HEAD":
        return Response(media_type="text/event-stream")
    given = request.headers.get("last-event-id") or request.query_params.get("since", "")
    since = int(given) if given.isascii() and given.isdecimal() and len(given) <= 15 else 0
    account, words = _word(request, "account"), _word(request, "words").strip()
    lines = _hands(doing.context).follow(account, since=since, pulse=PULSE)

    def goes_on() -> bool:
        return doing.context.is_managed and not is_closing()

    return StreamingResponse(_events(lines, words, goes_on), media_type="text/event-stream")


async def _events(
    lines: AsyncGenerator[NumberedLine | None, None], words: str, goes_on: Callable[[], bool]
) -> AsyncIterator[str]:
    """Lines as they come. Who reads slowly holds up nobody: `lines` leaves some out then."""
    async with aclosing(lines):
        yield _PULSE
        async for line in lines:
            if not goes_on():
                return
            if line is None:
                yield _PULSE
            elif not line.number or _has(line, words):
                number = f"id: {line.number}\n" if line.number else ""
                yield f"event: line\n{number}data: {json.dumps(line.text)}\n\n"
