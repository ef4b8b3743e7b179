"""What `/api` answers: one entry per path, from which routes and OpenAPI description follow.

An entry reads what it needs at once, on the daemon's loop, and returns a function that
makes the answer of it: that may take its time, elsewhere.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from cccamd.facts import CardStatus, Snapshot
from cccamd.ids import Caid, parse_caid, parse_ident, parse_sid
from cccamd.watch import Series, Span
from cccamd.web.apimodels import Cards, Clients, Happened, Sources, Status
from cccamd.web.apireports import FreezesInfo, Health, HistoryInfo, Readiness
from cccamd.web.context import WebContext
from cccamd.why import Explanation, Question

NOTES_IN_STATUS: Final = 30

_Hex4 = Annotated[str, Field(pattern="^[0-9A-Fa-f]{1,4}$", examples=["0B00"])]
_Hex6 = Annotated[str, Field(pattern="^[0-9A-Fa-f]{1,6}$", examples=["030B00"])]


class Query(BaseModel):
    """Base, and what most paths take: nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CardsQuery(Query):
    """Which cards; all that is given must hold."""

    source: str | None = Field(None, description="only cards from this source")
    caid: _Hex4 | None = Field(None, description="only cards of this CAID")
    account: str | None = Field(None, description="only cards that this account was told of")


class HistoryQuery(Query):
    """How far back."""

    span: Literal["minutes", "day"] = Field("minutes", description="the last minutes or day")


class ExplainQuery(Query):
    """Whom and what to explain; all of it may be left out."""

    account: str | None = Field(None, description="why this client sees what it sees")
    source: str | None = Field(None, description="cards from this source")
    caid: _Hex4 | None = None
    ident: _Hex6 | None = Field(None, description="the provider")
    sid: _Hex4 | None = None


Answer = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One path."""

    path: str
    summary: str
    model: type[Any]
    """What the answer is: a model of pydantic's, or a dataclass."""
    read: Callable[[WebContext, Any], Answer]
    """Takes a query of the class below."""
    query: type[Query] = Query


def _names(context: WebContext) -> Mapping[str, Any]:
    return {"channel_name": context.channel_name}


def _status(context: WebContext, query: Query) -> Answer:
    snapshot, names = context.snapshot(), _names(context)
    notes = tuple(islice(context.happenings(), NOTES_IN_STATUS))
    channels = context.freezes().channels

    def make() -> Status:
        parts = {
            "server": snapshot,
            "clients": snapshot.clients,
            "sources": snapshot.sources,
            "systems": _systems(snapshot),
            "notes": notes,
            "channels": channels,
        }
        return Status.model_validate(parts, context=names)

    return make


def _systems(snapshot: Snapshot) -> list[dict[str, object]]:
    by_caid: dict[Caid, list[CardStatus]] = {}
    for card in snapshot.cards:
        by_caid.setdefault(card.caid, []).append(card)
    return [
        {
            "caid": caid,
            "cards": len(cards),
            "nearest_hop": min(card.hop for card in cards),
            "idents": tuple(sorted({ident for card in cards for ident in card.idents})),
        }
        for caid, cards in sorted(by_caid.items())
    ]


def _clients(context: WebContext, query: Query) -> Answer:
    snapshot, names = context.snapshot(), _names(context)
    return lambda: Clients.model_validate(snapshot, context=names)


def _sources(context: WebContext, query: Query) -> Answer:
    snapshot = context.snapshot()
    return lambda: Sources.model_validate(snapshot)


def _cards(context: WebContext, query: CardsQuery) -> Answer:
    snapshot = context.snapshot()
    return lambda: Cards.model_validate({"cards": _chosen(snapshot.cards, query)})


def _chosen(cards: Iterable[CardStatus], query: CardsQuery) -> tuple[CardStatus, ...]:
    caid = None if query.caid is None else parse_caid(query.caid)
    return tuple(
        card
        for card in cards
        if query.source in (None, card.source)
        and caid in (None, card.caid)
        and (query.account is None or query.account in card.seen_by)
    )


def _happenings(context: WebContext, query: Query) -> Answer:
    notes, names = tuple(context.happenings()), _names(context)
    return lambda: Happened.model_validate({"notes": notes}, context=names)


def _history(context: WebContext, query: HistoryQuery) -> Answer:
    span = Span[query.span.upper()]
    now = time.time()
    sources = context.history.sources(span, now=now)
    channels = context.history.channels(span, now=now)
    parts = {
        "span": query.span,
        "step": span.step,
        "sources": _series("source", sources),
        "channels": _series("service", channels),
    }
    return lambda: HistoryInfo.model_validate(parts, context=_names(context))


def _series(subject: str, series: Iterable[Series]) -> list[dict[str, object]]:
    return [{subject: one.subject, "points": one.points} for one in series]


def _freezes(context: WebContext, query: Query) -> Answer:
    report = context.freezes()
    return lambda: FreezesInfo.model_validate(report)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """Who answers `/api/explain`, and with values of which dataclass."""

    model: type[Any]
    answer: Callable[[Question], object]


def explainer_of(context: WebContext) -> Explainer:
    """The one that the pages ask."""
    return Explainer(model=Explanation, answer=context.explain)


def explain_endpoint(explainer: Explainer) -> Endpoint:
    """Serve explanations."""

    def read(context: WebContext, query: ExplainQuery) -> Answer:
        explanation = explainer.answer(_question(query))
        return lambda: explanation

    return Endpoint(
        path="/api/explain",
        summary="Why a client sees a card or not, and how its ECMs went",
        model=explainer.model,
        read=read,
        query=ExplainQuery,
    )


def _question(query: ExplainQuery) -> Question:
    return Question(
        account=query.account,
        source=query.source,
        caid=None if query.caid is None else parse_caid(query.caid),
        ident=None if query.ident is None else parse_ident(query.ident),
        sid=None if query.sid is None else parse_sid(query.sid),
    )


def _health(context: WebContext, query: Query) -> Answer:
    return lambda: Health(program=context.program)


def _ready(context: WebContext, query: Query) -> Answer:
    why = _missing(context.snapshot())
    return lambda: Readiness(ready=not why, why=why)


def _missing(snapshot: Snapshot) -> str:
    """What an answer to any ECM fails for."""
    if not snapshot.sources:
        return "there is no source: neither a C-line nor a local card"
    if not any(source.up_at is not None for source in snapshot.sources):
        return "no source is up"
    return "" if snapshot.cards else "no source has brought a card yet"


ENDPOINTS: Final = (
    Endpoint(path="/api/status", summary="What goes on", model=Status, read=_status),
    Endpoint(path="/api/clients", summary="Clients", model=Clients, read=_clients),
    Endpoint(path="/api/sources", summary="Links and local cards", model=Sources, read=_sources),
    Endpoint(path="/api/cards", summary="Cards", model=Cards, read=_cards, query=CardsQuery),
    Endpoint(
        path="/api/happenings", summary="What happened lately", model=Happened, read=_happenings
    ),
    Endpoint(
        path="/api/history",
        summary="Answer times of sources and channels",
        model=HistoryInfo,
        read=_history,
        query=HistoryQuery,
    ),
    Endpoint(path="/api/freezes", summary="Margins and freezes", model=FreezesInfo, read=_freezes),
    Endpoint(path="/health", summary="Does the server run?", model=Health, read=_health),
    Endpoint(path="/ready", summary="Can ECMs be answered?", model=Readiness, read=_ready),
)
"""All but `/api/explain`, for which see above."""
