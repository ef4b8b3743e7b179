"""The overview as tables of JSON rows: what the browser draws. Facts in, rows out.

A part is a table, a row has a key, and a row that has not changed stays the same object: so it
costs nothing to see what has changed (`cccamd.web.versions`). Facts are passed on as they are
declared, under their names; texts as they are, too: the script puts them into the page as text.
Everything here goes in steps, one for each client or card (see `cccamd.net.in_slices`).
"""

import json
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from heapq import nsmallest
from itertools import islice
from math import inf
from operator import attrgetter
from statistics import median_low
from typing import Final, TypeVarTuple

from pydantic import TypeAdapter

from cccamd.facts import (
    CardStatus,
    ChannelMargin,
    ChannelTimes,
    ClientStatus,
    ConfigState,
    EcmResult,
    Fact,
    FleetStatus,
    Freeze,
    FreezeReport,
    HistoryReport,
    Incident,
    LinkState,
    NodeStatus,
    Note,
    Penalty,
    PenaltyKind,
    Point,
    ServerStatus,
    ServiceId,
    Snapshot,
    SourceStatus,
    SourceTimes,
)
from cccamd.ids import Caid, Ident, Sid
from cccamd.web.context import Json, WebContext, explain_link
from cccamd.web.network import Trouble, network
from cccamd.web.versions import Row, Rows, View
from cccamd.why import ENGINE_AWAY, all_nodes, config_shown, fleet_counted, is_noted, odd_nodes

Ts = TypeVarTuple("Ts")

CARDS_LIMIT: Final = 300
CARDS_AT_ONCE: Final = 500
VIEWERS_LIMIT: Final = 4
NOTES_LIMIT: Final = 60
FREEZES_LIMIT: Final = 20
PAST_LIMIT: Final = 20
"""Incidents that are over; the journal has all."""
ABSENT_LIMIT: Final = 300
RECENT: Final = 600.0
"""Seconds for which a refusal is worth looking at."""

_UNSHOWN: Final[Mapping[type[Fact], set[str]]] = {
    ServerStatus: {"accounts", "config_path", "double_logins", "clones", "penalties", "fleet"},
    FleetStatus: {
        "nodes",
        "absent",
        *("claimed", "unanswered", "lost", "hedged", "told", "heard", "fetched", "unread"),
    },
    ClientStatus: {"line", "build", "emms_sent", "emms_passed", "pending", "uses"},
    SourceStatus: {"uses", "build", "in_flight", "address", "last_minute"},
    CardStatus: {"share_id", "assigned_sids", "rejected_sids", "seen_by"},
    Penalty: {"last_at", "wait_seconds"},
}
"""What changes often or is long, and is drawn nowhere on the overview."""
_WRITERS: Final[Mapping[type[Fact], TypeAdapter[Fact]]] = {
    kind: TypeAdapter(kind)
    for kind in (
        ServerStatus,
        FleetStatus,
        NodeStatus,
        ConfigState,
        Incident,
        ClientStatus,
        SourceStatus,
        CardStatus,
        Note,
        Freeze,
        Penalty,
    )
}
"""Made before anybody looks: it takes a while."""
_SERVICE: Final = TypeAdapter(ServiceId)
_POINT: Final = tuple(field.name for field in fields(Point))
_NUMBERS: Final[Callable[[Point], Iterable[float]]] = attrgetter(*_POINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the overview is drawn from. It holds no live object."""

    snapshot: Snapshot
    report: FreezeReport
    notes: tuple[Note, ...]
    incidents: tuple[Incident, ...]


async def look(context: WebContext) -> Moment:
    """Take everything at this moment."""
    snapshot = await context.snapshot()
    return Moment(
        snapshot=snapshot,
        report=await context.freezes(),
        notes=tuple(islice(context.happenings(), NOTES_LIMIT)),
        incidents=tuple(context.incidents()),
    )


class Overview:
    """Draws the overview again and again, and keeps what has not changed."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._kept: dict[str, dict[str, tuple[object, Row]]] = {}

    def draw(self, moment: Moment) -> Generator[None, None, View]:
        """Everything on the overview but the pictures of answer times."""
        snapshot, report = moment.snapshot, moment.report
        troubles = find_troubles(moment)
        yield
        server = yield from self._server(moment)
        incidents = self._incidents(moment)
        yield
        clients = yield from self._clients(snapshot, report, troubles)
        cards = yield from self._cards(snapshot.cards)
        nodes, edges = yield from network(snapshot, troubles)
        yield
        fleet, fleet_nodes = yield from self._fleet(snapshot.fleet)
        absent = _absent(snapshot)
        yield
        sources = yield from self._sources(snapshot, troubles)
        return {
            "server": {"": server},
            "config": {"": self._keep("config", "", _plain, snapshot.config)},
            "incidents": incidents,
            "penalties": self._penalties(snapshot),
            "fleet": fleet,
            "fleet_nodes": fleet_nodes,
            "clients": clients,
            "absent": absent,
            "sources": sources,
            "cards": cards,
            "nodes": self._keep_rows("nodes", nodes),
            "edges": self._keep_rows("edges", edges),
            "notes": self._rows(
                "notes", ((f"{note.at} {note.subject} {note.text}", note) for note in moment.notes)
            ),
            "freezes": self._rows(
                "freezes",
                ((f"{one.at} {one.account}", one) for one in report.freezes[:FREEZES_LIMIT]),
            ),
        }

    # Parts.

    def _server(self, moment: Moment) -> Generator[None, None, Row]:
        snapshot, report = moment.snapshot, moment.report
        took: list[float] = []
        accounts: set[str] = set()
        asked = answered = 0
        for client in snapshot.clients:
            accounts.add(client.account)
            asked, answered = asked + client.ecms_asked, answered + client.ecms_answered
            if client.last_result is EcmResult.CW and client.last_seconds is not None:
                took.append(client.last_seconds)
            yield
        return {
            **_row(ServerStatus, snapshot),
            "accounts": len(snapshot.accounts),
            "receivers_on": len(accounts),
            "sources_up": sum(one.state is LinkState.UP for one in snapshot.sources),
            "sources": len(snapshot.sources),
            "cards": len(snapshot.cards),
            "asked": asked,
            "answered": answered,
            "usual_seconds": round(median_low(took), 4) if took else None,
            "watching": len(report.channels),
            "froze": len(report.freezes),
            "frozen": sum(not freeze.over for freeze in report.freezes),
        }

    def _incidents(self, moment: Moment) -> Rows:
        now_wrong = [one for one in moment.incidents if one.ended_at is None]
        past = [one for one in moment.incidents if one.ended_at is not None][:PAST_LIMIT]
        sources = frozenset(source.name for source in moment.snapshot.sources)
        shown = enumerate((*now_wrong, *past))
        return self._only(
            "incidents",
            {
                str(one.number): self._keep(
                    "incidents", str(one.number), _incident, one, place, sources
                )
                for place, one in shown
            },
        )

    def _penalties(self, snapshot: Snapshot) -> Rows:
        rows: dict[str, Row] = {}
        for place, one in enumerate(snapshot.penalties):
            key = f"{one.kind.value} {one.who} {one.doors}"
            rows[key] = self._keep("penalties", key, _penalty, one, place)
        return self._only("penalties", rows)

    def _fleet(self, fleet: FleetStatus | None) -> Generator[None, None, tuple[Rows, Rows]]:
        if fleet is None:
            return {}, {}
        rows: dict[str, Row] = {}
        for place, node in enumerate(all_nodes(fleet)):
            rows[node.name] = self._keep("fleet_nodes", node.name, _node, node, place)
            yield
        shown = {"": self._keep("fleet", "", _fleet, fleet)}
        return self._only("fleet", shown), self._only("fleet_nodes", rows)

    def _clients(
        self, snapshot: Snapshot, report: FreezeReport, troubles: "Troubles"
    ) -> Generator[None, None, Rows]:
        margins: dict[tuple[str, Caid, Ident, Sid], ChannelMargin] = {}
        for one in report.channels:
            margins[one.account, one.caid, one.ident, one.sid] = one
            yield
        rows: dict[str, Row] = {}
        for client in snapshot.clients:
            key = f"{client.account} {client.address} {client.port}"
            left, trouble = _margin(_watched(client, margins)), troubles.of_client(client)
            rows[key] = self._keep("clients", key, _client, client, left, trouble)
            yield
        return self._only("clients", rows)

    def _sources(self, snapshot: Snapshot, troubles: "Troubles") -> Generator[None, None, Rows]:
        rows: dict[str, Row] = {}
        for place, source in enumerate(snapshot.sources):
            key, trouble = f"{source.name} {source.line}", troubles.of_source(source)
            rows[key] = self._keep("sources", key, _source, source, place, trouble)
            yield
        return self._only("sources", rows)

    def _cards(self, cards: Sequence[CardStatus]) -> Generator[None, None, Rows]:
        nearest: list[CardStatus] = []
        for start in range(0, len(cards), CARDS_AT_ONCE):
            some = (*nearest, *cards[start : start + CARDS_AT_ONCE])
            nearest = nsmallest(CARDS_LIMIT, some, key=lambda one: (one.hop, one.caid, one.source))
            yield
        rows: dict[str, Row] = {}
        for place, card in enumerate(nearest):
            key = f"{card.source} {card.own_share_id}"
            names = tuple(
                self._context.provider_name(card.caid, ident) or "" for ident in card.idents
            )
            rows[key] = self._keep("cards", key, _card, card, names, place)
            yield
        return self._only("cards", rows)

    # What has not changed.

    def _rows(self, part: str, facts: Iterable[tuple[str, Fact]]) -> Rows:
        rows = {key: self._keep(part, key, _plain, fact) for key, fact in facts}
        return self._only(part, rows)

    def _keep_rows(self, part: str, rows: Rows) -> Rows:
        kept = {key: self._keep(part, key, _same, row) for key, row in rows.items()}
        return self._only(part, kept)

    def _keep(self, part: str, key: str, make: Callable[[*Ts], Row], *facts: *Ts) -> Row:
        """The row as it was, when it is made from the same facts."""
        known = self._kept.setdefault(part, {}).get(key)
        if known is not None and known[0] == facts:
            return known[1]
        row = make(*facts)
        self._kept[part][key] = facts, row
        return row

    def _only(self, part: str, rows: Rows) -> Rows:
        """Forget the rows of this part that are no more."""
        kept = self._kept.setdefault(part, {})
        for key in kept.keys() - rows.keys():
            del kept[key]
        return rows


# Rows.


def _incident(one: Incident, place: int, sources: frozenset[str]) -> Row:
    return _row(Incident, one) | {"place": place, "link": incident_link(one, sources)}


def _penalty(one: Penalty, place: int) -> Row:
    return _row(Penalty, one) | {"place": place, "link": penalty_link(one)}


def _fleet(fleet: FleetStatus) -> Row:
    odd = odd_nodes(fleet)
    return _row(FleetStatus, fleet) | {
        "counted": fleet_counted(fleet),
        "away": "" if fleet.engine_up else ENGINE_AWAY,
        "odd": "" if odd is None else f"{odd.subject} {odd.text}",
        "config": config_shown(fleet.config),
    }


def _node(node: NodeStatus, place: int) -> Row:
    return _row(NodeStatus, node) | {
        "place": place,
        "noted": is_noted(node),
        "config": config_shown(node.config),
    }


def _client(client: ClientStatus, left: dict[str, Json], trouble: Trouble) -> Row:
    return _row(ClientStatus, client) | left | trouble.row()


def _source(source: SourceStatus, place: int, trouble: Trouble) -> Row:
    return _row(SourceStatus, source) | {"place": place} | trouble.row()


def _card(card: CardStatus, names: tuple[str, ...], place: int) -> Row:
    return _row(CardStatus, card) | {
        "place": place,
        "names": names,
        "seen_by": card.seen_by[:VIEWERS_LIMIT],
        "viewers": len(card.seen_by),
    }


def _plain(fact: Fact) -> Row:
    return _row(type(fact), fact)


def _same(row: Row) -> Row:
    return row


def _row(kind: type[Fact], fact: Fact) -> dict[str, Json]:
    row: dict[str, Json] = _WRITERS[kind].dump_python(fact, mode="json", exclude=_UNSHOWN.get(kind))
    return {name: _rounded(value) for name, value in row.items()}


def _rounded(value: Json) -> Json:
    """Enough for a page: tenths of milliseconds, and tenths of seconds where it is a date."""
    if not isinstance(value, float):
        return value
    return round(value, 1 if value > 1e6 else 4)


def _absent(snapshot: Snapshot) -> Rows:
    on = {client.account for client in snapshot.clients}
    off = (account for account in snapshot.accounts if account not in on)
    return {account: {"account": account} for account in islice(off, ABSENT_LIMIT)}


def _watched(
    client: ClientStatus, margins: Mapping[tuple[str, Caid, Ident, Sid], ChannelMargin]
) -> ChannelMargin | None:
    """What it watches; of many at once the channel that is closest to a freeze."""
    services = client.services or ((client.service,) if client.service else ())
    keys = ((client.account, each.caid, each.ident, each.sid) for each in services)
    found = [margins[key] for key in keys if key in margins]
    return min(found, key=lambda one: inf if one.margin is None else one.margin, default=None)


def _margin(watched: ChannelMargin | None) -> dict[str, Json]:
    if watched is None:
        return {"margin": None, "period": None, "forecast": "", "frozen": 0}
    return {
        "margin": None if watched.margin is None else round(watched.margin, 1),
        "period": None if watched.period is None else round(watched.period, 1),
        "forecast": watched.forecast,
        "frozen": watched.frozen,
    }


def incident_link(incident: Incident, sources: Collection[str]) -> str:
    """Where an incident is explained."""
    if incident.subject in sources:
        return explain_link(source=incident.subject)
    if len(incident.sufferers) == 1:
        return explain_link(account=incident.sufferers[0])
    return "/explain"


def penalty_link(penalty: Penalty) -> str:
    """Where it is explained: an address is by itself, a network is not."""
    if penalty.kind is PenaltyKind.NAME_SLOWED:
        return explain_link(account=penalty.who)
    return "" if "/" in penalty.who else explain_link(address=penalty.who)


# Who is in trouble.


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """What is wrong with whom, as the facts say."""

    at: float
    frozen: Mapping[str, Freeze]
    """By account, the picture that stands still."""
    stuck: Mapping[str, str]
    """By account, what a receiver does that looks as if its picture stood still."""
    named: Mapping[str, str]
    """By account or source, the cause of an incident that is open."""
    forecasts: Mapping[str, str]

    def of_client(self, client: ClientStatus) -> Trouble:
        """What is wrong with a client."""
        account = client.account
        if account in self.frozen:
            return Trouble(2, "frozen")
        if account in self.stuck:
            return Trouble(2, self.stuck[account])
        if not client.cards:
            return Trouble(2, "0 cards")
        refused = client.last_result not in (None, EcmResult.CW)
        if refused and client.heard_at >= self.at - RECENT:
            return Trouble(2, client.last_result.value if client.last_result else "")
        if account in self.named:
            return Trouble(1, self.named[account])
        return Trouble(1, "runs out of time") if account in self.forecasts else Trouble(0, "")

    def of_source(self, source: SourceStatus) -> Trouble:
        """What is wrong with a source."""
        if source.state is not LinkState.UP:
            return Trouble(2 if source.state is LinkState.WAITING else 1, source.state.value)
        if source.silent_since is not None:
            return Trouble(2, "does not answer")
        if not source.cards:
            return Trouble(2, "0 cards")
        cause = self.named.get(source.name, "")
        return Trouble(2, cause) if cause else Trouble(0, "")


def find_troubles(moment: Moment) -> Troubles:
    """Read from the facts what is wrong with whom."""
    named: dict[str, str] = {}
    for incident in moment.incidents:
        if incident.ended_at is None:
            for name in (incident.subject, *incident.sufferers):
                named.setdefault(name, incident.cause.value)
    return Troubles(
        at=moment.snapshot.at,
        frozen={freeze.account: freeze for freeze in moment.report.freezes if not freeze.over},
        stuck={one.account: one.trouble.value for one in moment.report.receivers},
        named=named,
        forecasts={one.account: one.forecast for one in moment.report.channels if one.forecast},
    )


# Answer times.


def times(
    report: HistoryReport,
    series: Sequence[SourceTimes | ChannelTimes],
    *,
    most: int,
    since: float = 0.0,
) -> str:
    """The picture of answer times as JSON: the `most` subjects with the most answers first.

    A day has many points, so each is a row of bare numbers, in the order of `fields`; those that
    began before `since` are left out, they do not change any more.
    """
    by_use = sorted(series, key=lambda one: -sum(point.answered for point in one.points))
    return json.dumps(
        {
            "now": report.at,
            "step": report.step,
            "length": report.span.length,
            "fields": _POINT,
            "total": len(by_use),
            "series": [_series(one, since) for one in by_use[:most]],
        },
        separators=(",", ":"),
        ensure_ascii=False,
    )


def _series(one: SourceTimes | ChannelTimes, since: float) -> Json:
    points = [
        [round(number, 4) for number in _NUMBERS(point)]
        for point in one.points
        if point.at >= since
    ]
    if isinstance(one, SourceTimes):
        return {"source": one.source, "points": points}
    return {"service": _SERVICE.dump_python(one.service, mode="json"), "points": points}
