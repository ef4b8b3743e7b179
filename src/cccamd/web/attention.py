"""What somebody should look at, in the order of importance. Empty when all is well."""

from collections.abc import Iterator
from typing import Final

from cccamd.facts import ServiceId, Snapshot, SourceStatus
from cccamd.ids import format_sid
from cccamd.watch import Freeze, FreezeReport
from cccamd.web.context import WebContext
from cccamd.web.jsonvalues import Json
from cccamd.web.links import explain_link

RECENT: Final = 600.0
"""Seconds for which a freeze or a refusal is worth looking at."""
ITEMS_LIMIT: Final = 12


def attention(snapshot: Snapshot, report: FreezeReport, context: WebContext) -> Json:
    """List what is wrong, each with the page that explains it."""
    items = [
        *_frozen(snapshot, report, context),
        *_sources(snapshot),
        *_clients(snapshot, context),
        *_forecasts(report),
    ]
    return {"items": items[:ITEMS_LIMIT], "more": max(0, len(items) - ITEMS_LIMIT)}


def _item(tone: str, subject: str, text: str, link: str, action: str) -> Json:
    return {"tone": tone, "subject": subject, "text": text, "link": link, "action": action}


def _frozen(snapshot: Snapshot, report: FreezeReport, context: WebContext) -> Iterator[Json]:
    for freeze in report.freezes:
        if freeze.at >= snapshot.at - RECENT:
            froze = "froze" if freeze.over else "is frozen"
            text = f"{froze} on {_name(freeze, context)}: {freeze.cause}"
            yield _item("bad", freeze.account, text, "/freezes", "What happened around it")


def _name(freeze: Freeze, context: WebContext) -> str:
    name = context.channel_name(freeze.caid, freeze.ident, freeze.sid)
    return name or f"service {format_sid(freeze.sid)}"


def _sources(snapshot: Snapshot) -> Iterator[Json]:
    for source in snapshot.sources:
        text = _trouble(source)
        if text:
            tone = "bad" if source.state == "waiting" else "warn"
            yield _item(tone, source.name, text, explain_link(source=source.name), "Why?")


def _trouble(source: SourceStatus) -> str:
    if source.state != "up":
        return f"is {source.state}" + (f": {source.last_failure}" if source.last_failure else "")
    return "" if source.cards else "gives 0 cards"


def _clients(snapshot: Snapshot, context: WebContext) -> Iterator[Json]:
    for client in snapshot.clients:
        link = explain_link(account=client.account)
        if not client.cards:
            yield _item("bad", client.account, "sees 0 cards", link, "Why?")
        elif client.last_result.startswith("NOK") and client.heard_at >= snapshot.at - RECENT:
            yield _item(
                "bad",
                client.account,
                f"got {client.last_result} for {_channel(client.service, context)}",
                explain_link(account=client.account, service=client.service),
                "Why?",
            )


def _channel(service: ServiceId | None, context: WebContext) -> str:
    if service is None:
        return "its last request"
    name = context.channel_name(service.caid, service.ident, service.sid)
    return name or f"service {format_sid(service.sid)}"


def _forecasts(report: FreezeReport) -> Iterator[Json]:
    for channel in report.channels:
        if channel.forecast:
            yield _item("warn", channel.account, channel.forecast, "/freezes", "Details")
