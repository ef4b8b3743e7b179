"""The pages of what was found and what was written down: `/doctor` and `/journal`.

The journal is read as a file, in another thread and in small pieces: it may hold months.
"""

import asyncio
import io
import time
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cccamd.watch.journal import Entry, JournalError, Kind, read_entries
from cccamd.web.context import WebContext, explain_link
from cccamd.web.pages import LENGTH_LIMIT, render
from cccamd.web.refusals import refusal
from cccamd.why import Grade, Weight, describe_entry, entry_record, json_text, write_entries

SHOWN: Final = 300
"""Entries on the page; the files hold all."""
AT_ONCE: Final = 100
BREATH: Final = 0.001
"""Seconds of rest for every so many entries: answers to receivers come first."""
SPANS: Final[Mapping[str, tuple[str, float]]] = {
    "hour": ("the last hour", 3600.0),
    "day": ("the last day", 86_400.0),
    "week": ("the last week", 7 * 86_400.0),
    "month": ("the last 30 days", 30 * 86_400.0),
    "all": ("all there is", 0.0),
}
GROUPS: Final[Mapping[str, tuple[str, tuple[Kind, ...]]]] = {
    "": ("everything", ()),
    "trouble": (
        "trouble",
        (Kind.INCIDENT, Kind.OUTAGE, Kind.FREEZE, Kind.REFUSED),
    ),
    "freezes": ("freezes", (Kind.FREEZE,)),
    "sources": ("sources", (Kind.OUTAGE, Kind.SOURCE)),
    "actions": ("what was done by hand", (Kind.ACTION,)),
    "visits": ("channels watched", (Kind.VISIT,)),
    "logins": ("logins", (Kind.LOGIN, Kind.LOGOUT, Kind.REFUSED, Kind.LINK)),
}
_BAD: Final = frozenset({Kind.INCIDENT, Kind.OUTAGE, Kind.FREEZE, Kind.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which entries somebody wants to see."""

    account: str
    span: str
    group: str
    words: str

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Choice":
        """Read it from an address; what makes no sense is left out."""
        span, group = query.get("span", ""), query.get("kind", "")
        return cls(
            account=query.get("account", "")[:LENGTH_LIMIT],
            span=span if span in SPANS else "day",
            group=group if group in GROUPS else "",
            words=query.get("words", "")[:LENGTH_LIMIT].strip(),
        )


def routes(context: WebContext) -> Sequence[BaseRoute]:
    """Serve both pages, and the files of the journal."""
    return [
        Route("/doctor", partial(_doctor, context)),
        Route("/journal", partial(_journal, context)),
        Route("/journal.csv", partial(_download, context, "csv")),
        Route("/journal.json", partial(_download, context, "json")),
    ]


# What the doctor finds.

_TONES: Final = {
    Grade.FAILURE: "bad",
    Grade.WARNING: "warn",
    Grade.ADVICE: "",
    Grade.OK: "good",
    Grade.NOT_CHECKED: "",
}


async def _doctor(context: WebContext, _: Request) -> Response:
    found = await context.check_up()
    order = (Grade.FAILURE, Grade.WARNING, Grade.ADVICE, Grade.NOT_CHECKED, Grade.OK)
    groups = [(grade, [one for one in found if one.grade is grade]) for grade in order]
    page = render(
        context,
        "doctor.html",
        groups=[(grade, _TONES[grade], ones) for grade, ones in groups if ones],
        bad=Weight.BAD,
    )
    return HTMLResponse(page)


# The journal.


async def _journal(context: WebContext, request: Request) -> Response:
    choice, path = Choice.of(request.query_params), context.journal()
    entries: list[Entry] = []
    more, problem = 0, ""
    if path is None:
        problem = "no journal is written: [journal] enabled in cccamd.toml says so"
    else:
        try:
            entries, more = await asyncio.to_thread(_newest, context, path, choice)
        except JournalError as error:
            problem = str(error)
    accounts = sorted((await context.snapshot()).accounts, key=str.casefold)
    page = render(
        context,
        "journal.html",
        choice=choice,
        spans=SPANS,
        groups=GROUPS,
        accounts=accounts,
        rows=[
            (entry, describe_entry(entry, context.channel_name), entry.kind in _BAD)
            for entry in entries
        ],
        more=more,
        problem=problem,
        query=request.url.query,
        explain=explain_link,
    )
    return HTMLResponse(page)


def _newest(context: WebContext, path: Path, choice: Choice) -> tuple[list[Entry], int]:
    """The newest entries, the newest first, and how many more there are."""
    kept: deque[Entry] = deque(maxlen=SHOWN)
    count = 0
    for entry in _chosen(context, path, choice):
        kept.append(entry)
        count += 1
    return [*reversed(kept)], count - len(kept)


def _chosen(context: WebContext, path: Path, choice: Choice) -> Iterator[Entry]:
    length = SPANS[choice.span][1]
    words = choice.words.casefold()
    entries = read_entries(
        path,
        account=choice.account or None,
        since=time.time() - length if length else None,
        kinds=GROUPS[choice.group][1],
    )
    for count, entry in enumerate(entries, 1):
        if not count % AT_ONCE:
            time.sleep(BREATH)
        if not words or words in _text(context, entry).casefold():
            yield entry


def _text(context: WebContext, entry: Entry) -> str:
    said = describe_entry(entry, context.channel_name)
    return " ".join((said, entry.account, entry.address, entry.cause, entry.source, entry.evidence))


async def _download(context: WebContext, form: str, request: Request) -> Response:
    path, choice = context.journal(), Choice.of(request.query_params)
    if path is None:
        return refusal(request.scope, 404, text="no journal is written")
    media = {"csv": "text/csv; charset=utf-8", "json": "application/json"}[form]
    headers = {"Content-Disposition": f'attachment; filename="cccamd-journal.{form}"'}
    if request.method == "HEAD":
        return Response(media_type=media, headers=headers)
    entries = _chosen(context, path, choice)
    pieces = _in_one_thread((_csv if form == "csv" else _json)(context, entries))
    try:
        first = await anext(pieces)
    except JournalError as error:
        return refusal(request.scope, 404, text=str(error))
    return StreamingResponse(_after(first, pieces), media_type=media, headers=headers)


async def _after(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for piece in rest:
        yield piece


async def _in_one_thread(pieces: Generator[str, None, None]) -> AsyncIterator[str]:
    """Take them all in a thread of their own: SQLite wants to be read where it was opened."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="journal") as pool:
        try:
            while (piece := await loop.run_in_executor(pool, next, pieces, None)) is not None:
                yield piece
        finally:
            await loop.run_in_executor(pool, pieces.close)


def _csv(context: WebContext, entries: Iterator[Entry]) -> Generator[str, None, None]:
    is_first = True
    while (some := list(islice(entries, AT_ONCE))) or is_first:
        file = io.StringIO()
        write_entries(some, context.channel_name, file, heading=is_first)
        is_first = False
        yield file.getvalue()


def _json(context: WebContext, entries: Iterator[Entry]) -> Generator[str, None, None]:
    """A list, one entry a line."""
    before = "[\n"
    while some := list(islice(entries, AT_ONCE)):
        rows = [json_text(entry_record(one, context.channel_name)) for one in some]
        yield before + ",\n".join(rows)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"
