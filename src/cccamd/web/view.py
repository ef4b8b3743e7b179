"""The overview as JSON: what the browser draws. Pure: facts in, JSON out.

Parts that are facts are passed on as they are declared, and under their names. Texts are passed
on as they are, too: the script puts them into the page as text, never as markup.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from operator import attrgetter
from typing import Final

from pydantic import TypeAdapter

from cccamd.facts import (
    CardStatus,
    ChannelTimes,
    ClientStatus,
    ConfigState,
    EcmResult,
    FreezeReport,
    HistoryReport,
    LinkState,
    Note,
    Point,
    ServerStatus,
    ServiceId,
    Snapshot,
    SourceStatus,
    SourceTimes,
    is_trouble,
)
from cccamd.ids import format_caid, format_ident, format_sid
from cccamd.web.context import Json, WebContext, explain_link
from cccamd.web.network import network

CARDS_LIMIT: Final = 300
VIEWERS_LIMIT: Final = 4
NOTES_LIMIT: Final = 60
FREEZES_LIMIT: Final = 20
RECENT: Final = 600.0
"""Seconds for which a freeze or a refusal is worth looking at."""
ITEMS_LIMIT: Final = 12

_SERVER: Final = TypeAdapter(ServerStatus)
_CONFIG: Final = TypeAdapter(ConfigState)
_CLIENTS: Final = TypeAdapter(tuple[ClientStatus, ...])
_SOURCES: Final = TypeAdapter(tuple[SourceStatus, ...])
_CARDS: Final = TypeAdapter(tuple[CardStatus, ...])
_NOTES: Final = TypeAdapter(tuple[Note, ...])
_FREEZES: Final = TypeAdapter(FreezeReport)
_SERVICE: Final = TypeAdapter(ServiceId)
_POINT: Final = tuple(field.name for field in fields(Point))
_NUMBERS: Final[Callable[[Point], Iterable[float]]] = attrgetter(*_POINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the overview is drawn from. It holds no live object, so any thread may draw."""

    snapshot: Snapshot
    report: FreezeReport
    notes: tuple[Note, ...]


def look(context: WebContext) -> Moment:
    """Take everything at this moment."""
    return Moment(
        snapshot=context.snapshot(),
        report=context.freezes(),
        notes=tuple(islice(context.happenings(), NOTES_LIMIT)),
    )


def overview(moment: Moment, context: WebContext) -> dict[str, str]:
    """Everything on the overview but the pictures of answer times: parts as JSON texts."""
    snapshot, report = moment.snapshot, moment.report
    clients = tuple(sorted(snapshot.clients, key=lambda client: client.account.casefold()))
    shown = replace(report, freezes=report.freezes[:FREEZES_LIMIT])
    return {
        "server": _SERVER.dump_json(snapshot).decode(),
        "config": _CONFIG.dump_json(snapshot.config).decode(),
        "attention": _dump(attention(snapshot, report)),
        "clients": _CLIENTS.dump_json(clients).decode(),
        "sources": _SOURCES.dump_json(snapshot.sources).decode(),
        "cards": _dump(_cards(snapshot.cards, context)),
        "network": _dump(network(snapshot)),
        "notes": _NOTES.dump_json(moment.notes).decode(),
        "freezes": _FREEZES.dump_json(shown).decode(),
    }


def times(report: HistoryReport, series: Sequence[SourceTimes | ChannelTimes]) -> str:
    """The picture of answer times as JSON: the subjects with the most answers first.

    A day has many points, so each is a row of bare numbers, in the order of `fields`.
    """
    by_use = sorted(series, key=lambda one: -sum(point.answered for point in one.points))
    return _dump(
        {
            "now": report.at,
            "step": report.step,
            "length": report.span.length,
            "fields": _POINT,
            "series": [_series(one) for one in by_use],
        }
    )


def _series(one: SourceTimes | ChannelTimes) -> Json:
    points = [[round(number, 4) for number in _NUMBERS(point)] for point in one.points]
    if isinstance(one, SourceTimes):
        return {"source": one.source, "points": points}
    return {"service": _SERVICE.dump_python(one.service, mode="json"), "points": points}


def _cards(cards: Sequence[CardStatus], context: WebContext) -> Json:
    nearest = sorted(cards, key=lambda card: (card.hop, card.caid, card.source))[:CARDS_LIMIT]
    cut = tuple(replace(card, seen_by=card.seen_by[:VIEWERS_LIMIT]) for card in nearest)
    return {
        "total": len(cards),
        "rows": _CARDS.dump_python(cut, mode="json"),
        "viewers": [len(card.seen_by) for card in nearest],
        "providers": _provider_names(nearest, context),
    }


def _provider_names(cards: Sequence[CardStatus], context: WebContext) -> Mapping[str, str]:
    """By `0B00:030B00`, the names that are known."""
    found = {(card.caid, ident) for card in cards for ident in card.idents}
    names = {pair: context.provider_name(*pair) for pair in found}
    return {
        f"{format_caid(caid)}:{format_ident(ident)}": name
        for (caid, ident), name in names.items()
        if name
    }


def _dump(part: Json) -> str:
    return json.dumps(part, separators=(",", ":"), ensure_ascii=False)


# What somebody should look at.


def attention(snapshot: Snapshot, report: FreezeReport) -> Json:
    """List what is wrong, in the order of importance, each with the page that explains it."""
    items = [
        *_frozen(snapshot, report),
        *_sources(snapshot),
        *_clients(snapshot),
        *_forecasts(report),
    ]
    return {"items": items[:ITEMS_LIMIT], "more": max(0, len(items) - ITEMS_LIMIT)}


def _item(tone: str, subject: str, text: str, link: str, action: str) -> Json:
    return {"tone": tone, "subject": subject, "text": text, "link": link, "action": action}


def _frozen(snapshot: Snapshot, report: FreezeReport) -> Iterator[Json]:
    for freeze in report.freezes:
        if is_trouble(freeze, snapshot.at, lately=RECENT):
            froze = "froze" if freeze.over else "is frozen"
            text = f"{froze} on {_name(freeze)}: {freeze.cause}"
            yield _item("bad", freeze.account, text, "/freezes", "What happened around it")


def _name(channel: ServiceId) -> str:
    return channel.name or f"service {format_sid(channel.sid)}"


def _sources(snapshot: Snapshot) -> Iterator[Json]:
    for source in snapshot.sources:
        text = _trouble(source)
        if text:
            tone = "bad" if source.state is LinkState.WAITING else "warn"
            yield _item(tone, source.name, text, explain_link(source=source.name), "Why?")


def _trouble(source: SourceStatus) -> str:
    if source.state is not LinkState.UP:
        why = f": {source.last_failure}" if source.last_failure else ""
        return f"is {source.state.value}{why}"
    return "" if source.cards else "gives 0 cards"


def _clients(snapshot: Snapshot) -> Iterator[Json]:
    for client in snapshot.clients:
        link = explain_link(account=client.account)
        if not client.cards:
            yield _item("bad", client.account, "sees 0 cards", link, "Why?")
        elif client.last_result and client.last_result is not EcmResult.CW:
            if client.heard_at < snapshot.at - RECENT:
                continue
            about = "its last request" if client.service is None else _name(client.service)
            link = explain_link(account=client.account, service=client.service)
            text = f"got {client.last_result.value} for {about}"
            yield _item("bad", client.account, text, link, "Why?")


def _forecasts(report: FreezeReport) -> Iterator[Json]:
    for channel in report.channels:
        if channel.forecast:
            yield _item("warn", channel.account, channel.forecast, "/freezes", "Details")
