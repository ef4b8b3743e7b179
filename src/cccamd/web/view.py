"""The overview as plain values: what the browser draws. Pure: a snapshot in, JSON out.

Texts are passed on as they are: the script puts them into the page as text, never as markup.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from cccamd.facts import CardStatus, ClientStatus, ServiceId, Snapshot, SourceStatus
from cccamd.ids import format_caid, format_ident, format_node_id, format_service
from cccamd.watch import ChannelMargin, Freeze, FreezeReport, Note, Series, Span
from cccamd.web.attention import attention
from cccamd.web.context import WebContext
from cccamd.web.jsonvalues import Json
from cccamd.web.links import explain_link
from cccamd.web.network import network

CARDS_LIMIT: Final = 300
VIEWERS_LIMIT: Final = 4
NOTES_LIMIT: Final = 60
FREEZES_LIMIT: Final = 20

Margins = Mapping[tuple[str, ServiceId], ChannelMargin]


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


def overview(moment: Moment, context: WebContext) -> dict[str, Json]:
    """Everything on the overview but the pictures of answer times, in parts."""
    snapshot, report = moment.snapshot, moment.report
    margins = {_watching(channel): channel for channel in report.channels}
    clients = sorted(snapshot.clients, key=lambda client: client.account.casefold())
    return {
        "head": _head(snapshot),
        "attention": attention(snapshot, report, context),
        "clients": [_client(client, margins, context) for client in clients],
        "absent": _absent(snapshot),
        "sources": [_source(source) for source in snapshot.sources],
        "cards": _cards(snapshot.cards, context),
        "network": network(snapshot),
        "notes": [_note(note, context) for note in moment.notes],
        "freezes": _freezes(report, context),
    }


def times(series: Iterable[Series], span: Span, now: float, context: WebContext) -> Json:
    """The picture of answer times: the subjects with the most answers first."""
    by_use = sorted(series, key=lambda one: -sum(point.answered for point in one.points))
    return {
        "now": now,
        "step": span.step,
        "length": span.length,
        "series": [
            {**_subject(one.subject, context), "points": [_point(point) for point in one.points]}
            for one in by_use
        ],
    }


def channel(service: ServiceId, context: WebContext) -> dict[str, Json]:
    """A channel: its numbers, and its name or nothing."""
    caid, ident, sid = service.caid, service.ident, service.sid
    return {
        "id": format_service(caid, ident, sid),
        "name": context.channel_name(caid, ident, sid) or "",
    }


def _subject(subject: str | ServiceId, context: WebContext) -> dict[str, Json]:
    if isinstance(subject, str):
        return {"id": "", "name": subject, "explain": explain_link(source=subject)}
    return {**channel(subject, context), "explain": explain_link(service=subject)}


def _point(point: Sequence[float]) -> Json:
    return [round(number, 4) for number in point]


def _head(snapshot: Snapshot) -> Json:
    asked = sum(client.ecms_asked for client in snapshot.clients)
    answered = sum(client.ecms_answered for client in snapshot.clients)
    return {
        "at": snapshot.at,
        "started_at": snapshot.started_at,
        "program": snapshot.program,
        "node_id": format_node_id(snapshot.node_id),
        "config": snapshot.config_path,
        "accounts": len(snapshot.accounts),
        "accounts_on": len({client.account for client in snapshot.clients}),
        "clients": len(snapshot.clients),
        "sources": len(snapshot.sources),
        "sources_up": sum(source.state == "up" for source in snapshot.sources),
        "cards": len(snapshot.cards),
        "asked": asked,
        "answered": answered,
        "ecms": snapshot.ecms_total,
        "emms": snapshot.emms_total,
        "logins_failed": snapshot.logins_failed,
        "refused": snapshot.connections_refused,
    }


def _client(client: ClientStatus, margins: Margins, context: WebContext) -> Json:
    service = client.service
    margin = None if service is None else margins.get((client.account, service))
    return {
        "account": client.account,
        "address": client.address,
        "port": client.port,
        "version": client.version,
        "build": client.build,
        "revision": client.revision,
        "extended": client.extended,
        "program": client.program,
        "node_id": format_node_id(client.node_id or b""),
        "connected_at": client.connected_at,
        "heard_at": client.heard_at,
        "asked": client.ecms_asked,
        "answered": client.ecms_answered,
        "cards": client.cards,
        "channel": None if service is None else channel(service, context),
        "result": client.last_result,
        "source": client.last_source,
        "seconds": client.last_seconds,
        "margin": None if margin is None else _margin(margin, context),
        "explain": explain_link(account=client.account),
        "explain_channel": explain_link(account=client.account, service=service),
    }


def _absent(snapshot: Snapshot) -> Json:
    present = {client.account for client in snapshot.clients}
    absent = sorted(set(snapshot.accounts) - present, key=str.casefold)
    return [{"account": account, "explain": explain_link(account=account)} for account in absent]


def _source(source: SourceStatus) -> Json:
    return {
        "name": source.name,
        "kind": source.kind.value,
        "line": source.line,
        "state": source.state,
        "up_at": source.up_at,
        "next_attempt_at": source.next_attempt_at,
        "failure": source.last_failure,
        "version": source.version,
        "revision": source.revision,
        "extended": source.extended,
        "program": source.program,
        "node_id": "" if source.node_id is None else format_node_id(source.node_id),
        "in_flight": source.in_flight,
        "hops": source.cards_by_hop,
        "cards": source.cards,
        "rejected": source.cards_rejected,
        "asked": source.asked,
        "answered": source.answered,
        "usual": source.usual_seconds,
        "group": source.group,
        "rank": source.rank,
        "explain": explain_link(source=source.name),
    }


def _cards(cards: Sequence[CardStatus], context: WebContext) -> Json:
    nearest = sorted(cards, key=lambda card: (card.hop, card.caid, card.source))
    return {
        "total": len(cards),
        "rows": [_card(card, context) for card in nearest[:CARDS_LIMIT]],
    }


def _card(card: CardStatus, context: WebContext) -> Json:
    providers: list[Json] = [
        {"id": format_ident(ident), "name": context.provider_name(card.caid, ident) or ""}
        for ident in card.idents
    ]
    return {
        "caid": format_caid(card.caid),
        "providers": providers,
        "source": card.source,
        "hop": card.hop,
        "reshare": card.reshare,
        "origin": format_node_id(card.path[0]) if card.path else "",
        "seen_by": {"names": card.seen_by[:VIEWERS_LIMIT], "total": len(card.seen_by)},
    }


def _note(note: Note, context: WebContext) -> Json:
    is_bad_ecm = note.tone.value == "bad" and note.service is not None
    return {
        "at": note.at,
        "tone": note.tone.value,
        "subject": note.subject,
        "text": note.text,
        "times": note.times,
        "channel": None if note.service is None else channel(note.service, context),
        "explain": explain_link(account=note.account, service=note.service) if is_bad_ecm else "",
    }


def _freezes(report: FreezeReport, context: WebContext) -> Json:
    return {
        "channels": [_margin(margin, context) for margin in report.channels],
        "freezes": [_freeze(freeze, context) for freeze in report.freezes[:FREEZES_LIMIT]],
    }


def _watching(watched: ChannelMargin | Freeze) -> tuple[str, ServiceId]:
    return watched.account, ServiceId(watched.caid, watched.ident, watched.sid)


def _margin(margin: ChannelMargin, context: WebContext) -> Json:
    account, service = _watching(margin)
    return {
        "account": account,
        "channel": channel(service, context),
        "period": margin.period,
        "margin": margin.margin,
        "forecast": margin.forecast,
    }


def _freeze(freeze: Freeze, context: WebContext) -> Json:
    account, service = _watching(freeze)
    return {
        "at": freeze.at,
        "account": account,
        "channel": channel(service, context),
        "seconds": round(freeze.seconds, 1),
        "over": freeze.over,
        "source": freeze.source,
        "cause": freeze.cause,
        "around": freeze.around,
        "explain": explain_link(account=account, service=service),
    }
