"""For machines, read only: `/api` with its description, `/health`, `/ready` and `/metrics`.

What is answered are the facts as they are declared. A route reads what it needs at once, on
the loop of the server; what of it takes longer is done in another thread.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Annotated, Final, Literal, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cccamd.facts import (
    CaidFact,
    CardStatus,
    ClientStatus,
    Fact,
    Freeze,
    FreezeReport,
    HistoryReport,
    IdentFact,
    Incident,
    Note,
    SidFact,
    Snapshot,
    SourceStatus,
    Span,
    Status,
    System,
)
from cccamd.ids import Caid, plain_address
from cccamd.watch.metrics.exposition import collect, metrics_text
from cccamd.web.context import WebContext
from cccamd.web.fieldtexts import describe_fields
from cccamd.web.writing import written
from cccamd.why import Explanation, Question

T = TypeVar("T")

NOTES_IN_STATUS: Final = 30
INCIDENTS_IN_STATUS: Final = 50
LARGEST: Final = 2**53
"""The largest number of a freeze that may be asked for: all JSON readers know it."""
_JSON: Final = "application/json"
_ABOUT: Final = (
    "A running cccamd server, read only. Ids are hex texts; times are seconds, and names that end"
    " in _at are seconds since 1970."
)


# What is answered besides the facts themselves.


@dataclass(frozen=True, slots=True)
class Clients(Fact):
    """All clients that are logged in."""

    clients: tuple[ClientStatus, ...]


@dataclass(frozen=True, slots=True)
class Sources(Fact):
    """All upstream links and local cards."""

    sources: tuple[SourceStatus, ...]


@dataclass(frozen=True, slots=True)
class Cards(Fact):
    """Cards."""

    cards: tuple[CardStatus, ...]


@dataclass(frozen=True, slots=True)
class Happened(Fact):
    """What happened lately, the newest first."""

    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class IncidentList(Fact):
    """What is wrong, by how many suffer; then what was wrong, the newest first."""

    incidents: tuple[Incident, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness(Fact):
    """The server runs: it has answered."""

    status: Literal["ok"] = "ok"
    program: str


@dataclass(frozen=True, slots=True)
class Readiness(Fact):
    """Whether ECMs can be answered."""

    ready: bool
    why: str
    """What is missing; empty when nothing is."""


@dataclass(frozen=True, slots=True)
class Problem(Fact):
    """What is wrong with a request."""

    error: str


# What may be asked.


class Nothing(BaseModel):
    """What most paths take."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CardsQuery(Nothing):
    """Which cards; all that is given must hold."""

    source: str | None = Field(None, description="only cards from this source")
    caid: CaidFact | None = Field(None, description="only cards of this CAID")
    account: str | None = Field(None, description="only cards that this account was told of")


class HistoryQuery(Nothing):
    """How far back."""

    span: Span = Field(Span.MINUTES, description="the last minutes or day")


class ExplainQuery(Nothing):
    """Whom and what to explain; all of it may be left out."""

    account: str | None = Field(None, description="why this client sees what it sees")
    address: Annotated[str, AfterValidator(plain_address)] | None = Field(
        None, description="whether a client of this address may log in; nothing else then"
    )
    source: str | None = Field(None, description="cards from this source")
    caid: CaidFact | None = None
    ident: IdentFact | None = Field(None, description="the provider")
    sid: SidFact | None = None


# The routes.

router: Final = APIRouter(generate_unique_id_function=lambda route: route.name)


async def _context(request: Request) -> WebContext:
    context: WebContext = request.app.state.context
    return context


Context = Annotated[WebContext, Depends(_context)]
Asked = Annotated[Nothing, Query()]
_REFUSAL: Final[dict[int | str, dict[str, object]]] = {
    400: {"model": Problem, "description": "A parameter is wrong"}
}


@router.get("/api/status", response_model=Status, summary="What goes on")
async def status(context: Context, _: Asked) -> Response:
    """All but the single cards."""
    snapshot, channels = await context.snapshot(), (await context.freezes()).channels
    notes = tuple(islice(context.happenings(), NOTES_IN_STATUS))
    found = tuple(context.incidents())[:INCIDENTS_IN_STATUS]

    def make() -> Status:
        return Status(
            server=snapshot,
            config=snapshot.config,
            clients=snapshot.clients,
            sources=snapshot.sources,
            systems=_systems(snapshot),
            notes=notes,
            channels=channels,
            incidents=found,
        )

    return await _write(Status, make)


@router.get("/api/clients", response_model=Clients, summary="Clients")
async def clients(context: Context, _: Asked) -> Response:
    """All that are logged in."""
    snapshot = await context.snapshot()
    return await _write(Clients, lambda: Clients(snapshot.clients))


@router.get("/api/sources", response_model=Sources, summary="Links and local cards")
async def sources(context: Context, _: Asked) -> Response:
    """All, whether up or not."""
    snapshot = await context.snapshot()
    return await _write(Sources, lambda: Sources(snapshot.sources))


@router.get("/api/cards", response_model=Cards, summary="Cards", responses=_REFUSAL)
async def cards(context: Context, query: Annotated[CardsQuery, Query()]) -> Response:
    """All, or some."""
    snapshot = await context.snapshot()
    return await _write(Cards, lambda: Cards(_chosen(snapshot.cards, query)))


@router.get("/api/happenings", response_model=Happened, summary="What happened lately")
async def happenings(context: Context, _: Asked) -> Response:
    """The newest first."""
    notes = tuple(context.happenings())
    return await _write(Happened, lambda: Happened(notes))


@router.get(
    "/api/history",
    response_model=HistoryReport,
    summary="Answer times of sources and channels",
    responses=_REFUSAL,
)
async def history(context: Context, query: Annotated[HistoryQuery, Query()]) -> Response:
    """Over the last minutes or the last day."""
    report = context.history(query.span)
    return await _write(HistoryReport, lambda: report)


@router.get("/api/freezes", response_model=FreezeReport, summary="Margins and freezes")
async def freezes(context: Context, _: Asked) -> Response:
    """Of all channels that are watched."""
    report = await context.freezes()
    return await _write(FreezeReport, lambda: report)


@router.get(
    "/api/freezes/{number}",
    response_model=Freeze,
    summary="One freeze, whose fault it was, and what that rests on",
    responses={404: {"model": Problem, "description": "Nobody knows it (any more)"}},
)
async def freeze(
    context: Context,
    number: Annotated[int, Path(ge=1, le=LARGEST, description="its number")],
    _: Asked,
) -> Response:
    """Also one that only the journal knows."""
    found = await context.freeze(number)
    if found is None:
        text = f"no freeze {number} is known here: it is too old, or there never was one"
        return await _write(Problem, lambda: Problem(text), code=404)
    known = found
    return await _write(Freeze, lambda: known)


@router.get("/api/incidents", response_model=IncidentList, summary="What is wrong, and what was")
async def incidents(context: Context, _: Asked) -> Response:
    """Open ones first, by how many suffer; then those that are over, the newest first."""
    found = tuple(context.incidents())
    return await _write(IncidentList, lambda: IncidentList(found))


@router.get(
    "/api/explain",
    response_model=Explanation,
    summary="Why a client sees a card or not, and how its ECMs went",
    responses=_REFUSAL,
)
async def explain(context: Context, query: Annotated[ExplainQuery, Query()]) -> Response:
    """What is left out of the question is not asked for."""
    explanation = await context.explain(_question(query))
    return await _write(Explanation, lambda: explanation)


@router.get("/health", response_model=Liveness, summary="Does the server run?")
async def health(context: Context, _: Asked) -> Response:
    """It does if it answers."""
    return await _write(Liveness, lambda: Liveness(program=context.program))


@router.get(
    "/ready",
    response_model=Readiness,
    summary="Can ECMs be answered?",
    responses={503: {"model": Readiness, "description": "Not ready"}},
)
async def ready(context: Context, _: Asked) -> Response:
    """If a source is up and there is a card."""
    why = _missing(await context.snapshot())
    readiness = Readiness(ready=not why, why=why)
    return await _write(Readiness, lambda: readiness, code=503 if why else 200)


@router.get("/metrics", include_in_schema=False)
async def metrics(context: Context, request: Request) -> Response:
    """What Prometheus reads."""
    snapshot = await context.snapshot()
    tasks = len(asyncio.all_tasks())
    report, incidents = await context.freezes(), context.incidents()
    accept, counted = request.headers.get("accept", ""), context.metrics.as_it_is()

    def write() -> tuple[bytes, str]:
        return metrics_text(collect(counted, snapshot, report, incidents, tasks=tasks), accept)

    text, content_type = await asyncio.to_thread(write)
    return Response(text, headers={"content-type": content_type})


def add_api(app: FastAPI, context: WebContext) -> None:
    """Serve all this, for HEAD too, and the description at `/api` and `/api/openapi.json`."""
    app.state.context = context
    # Not `include_router`: it would build all routes anew at the first request, while ECMs wait.
    app.router.routes += router.routes
    app.add_exception_handler(RequestValidationError, _refuse)

    async def describe() -> Response:
        text = await asyncio.to_thread(_description, context.program)
        return Response(text, media_type=_JSON)

    heads = [(route.path, route.endpoint) for route in router.routes if isinstance(route, APIRoute)]
    for path in ("/api", "/api/openapi.json"):
        app.add_api_route(path, describe, include_in_schema=False)
        heads.append((path, describe))
    for path, endpoint in heads:
        app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)


@cache
def _description(program: str) -> str:
    """The description as JSON: made when somebody asks, for it is most of the work of all pages."""
    return json.dumps(described(program))


def described(program: str) -> Mapping[str, object]:
    """Describe all paths; no parameter can be wrong where none is taken, and none is a 422."""
    description = get_openapi(
        title="cccamd",
        version=program,
        description=_ABOUT,
        routes=router.routes,
    )
    for methods in description["paths"].values():
        methods["get"]["responses"].pop("422", None)
    components = description["components"]
    for unused in ("HTTPValidationError", "ValidationError"):
        del components["schemas"][unused]
    describe_fields(components["schemas"], Explanation, *Fact.__subclasses__())
    components["securitySchemes"] = {"login": {"type": "http", "scheme": "basic"}}
    return {**description, "security": [{}, {"login": []}]}


async def _refuse(request: Request, error: Exception) -> Response:
    """Name each wrong parameter, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    words = (f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
    return await _write(Problem, lambda: Problem("; ".join(words)), code=400)


async def _write(kind: type[T], make: Callable[[], T], *, code: int = 200) -> Response:
    """Make an answer and write it down, which for many cards takes a while."""
    text = await asyncio.to_thread(_dump, kind, make)
    return Response(text, status_code=code, media_type=_JSON)


def _dump(kind: type[T], make: Callable[[], T]) -> bytes:
    return b"".join(written(kind, make()))


def _systems(snapshot: Snapshot) -> tuple[System, ...]:
    by_caid: dict[Caid, list[CardStatus]] = {}
    for card in snapshot.cards:
        by_caid.setdefault(card.caid, []).append(card)
    return tuple(
        System(
            caid=caid,
            cards=len(cards),
            nearest_hop=min(card.hop for card in cards),
            idents=tuple(sorted({ident for card in cards for ident in card.idents})),
        )
        for caid, cards in sorted(by_caid.items())
    )


def _chosen(cards: Iterable[CardStatus], query: CardsQuery) -> tuple[CardStatus, ...]:
    return tuple(
        card
        for card in cards
        if query.source in (None, card.source)
        and query.caid in (None, card.caid)
        and (query.account is None or query.account in card.seen_by)
    )


def _question(query: ExplainQuery) -> Question:
    return Question(
        account=query.account,
        address=query.address,
        source=query.source,
        caid=query.caid,
        ident=query.ident,
        sid=query.sid,
    )


def _missing(snapshot: Snapshot) -> str:
    """What an answer to any ECM fails for."""
    if not snapshot.sources:
        return "there is no source: no C-line, no N-line, no local card"
    up = [source for source in snapshot.sources if source.up_at is not None]
    if not up:
        return "no source is up"
    if all(source.silent_since is not None for source in up):
        return "no source answers what it is asked"
    return "" if snapshot.cards else "no source has brought a card yet"
