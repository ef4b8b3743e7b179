"""`cccamd probe`: log in to one's own server as a receiver would, and say how far it got."""

import asyncio
import json
import os
import time
from dataclasses import dataclass, field
from typing import Any, Final

import typer

from cccamd import PROGRAM
from cccamd.ids import (
    USER_LENGTH,
    USUAL_CONFIG_KEY,
    Caid,
    Ident,
    ShareId,
    Sid,
    format_caid,
    format_endpoint,
    format_ident,
    format_node_id,
    format_share_id,
    format_sid,
)
from cccamd.net import Client, ConnectError, ConnectionLost, Step
from cccamd.values import ControlWords, Offer, Request
from cccamd.wire.callers import caller_of
from cccamd.wire.cccam import (
    NODE_ID_RANDOM_LENGTH,
    NOK_COMMANDS,
    Identity,
    Target,
    make_node_id,
)
from cccamd.wire.newcamd import (
    NewcamdTarget,
)

NEWCAMD_USER_LENGTH: Final = 63
"""The longest name that any newcamd server takes (docs/newcamd-protocol.md section 5)."""


def run(
    *,
    host: str,
    port: int,
    user: str,
    password: str,
    ecm: bytes | None,
    caid: int | None,
    provider: int | None,
    sid: int | None,
    newcamd: bool,
    key: bytes | None,
    as_data: bool,
) -> None:
    """Log in to your own server as a receiver would, and say how far it got."""
    request = _read_request(ecm, caid, provider, sid)
    if key is not None and not newcamd:
        raise typer.BadParameter("--key goes with --newcamd")
    name, secret = _user_bytes(user, newcamd=newcamd), password.encode("utf-8", "surrogateescape")
    target: Target | NewcamdTarget
    if newcamd:
        target = NewcamdTarget(
            host=host, port=port, user=name, password=secret, config_key=key or USUAL_CONFIG_KEY
        )
    else:
        target = Target(host=host, port=port, user=name, password=secret, login_timeout=5.0)
    report = asyncio.run(run_probe(target, request))
    if as_data:
        typer.echo(json.dumps(_as_json(report), indent=2))
    else:
        _show(report)
    if not report.complete:
        raise typer.Exit(1)


@dataclass(slots=True)
class Report:
    """What a probe found out."""

    address: str
    reached: Step
    failure: str | None = None
    steps: list[tuple[str, float]] = field(default_factory=list)
    """Each step that worked, with milliseconds since the start."""
    version: str | None = None
    build: str | None = None
    revision: str | None = None
    node_id: str | None = None
    partner: str | None = None
    extended: bool = False
    cards: list[Offer] = field(default_factory=list)
    asked: bool = False
    cw: ControlWords | None = None
    ecm_result: str | None = None
    ecm_milliseconds: float | None = None

    @property
    def complete(self) -> bool:
        """Whether all that was asked for came."""
        return self.failure is None and (not self.asked or self.cw is not None)


async def run_probe(target: Target | NewcamdTarget, request: Request | None) -> Report:
    """Log in, learn the cards, ask the ECM."""
    started = time.perf_counter()
    report = Report(
        format_endpoint(target.host, target.port), Step.RESOLVE, asked=request is not None
    )

    def passed(step: str) -> None:
        report.steps.append((step, 1000 * (time.perf_counter() - started)))

    identity = Identity(make_node_id(os.urandom(NODE_ID_RANDOM_LENGTH)), f"{PROGRAM} probe")
    try:
        caller = caller_of(target, identity, os.urandom)
        client = await Client.connect(target.host, target.port, caller, passed=passed)
    except ConnectError as error:
        report.reached, report.failure = error.step, str(error)
        return report
    report.reached = Step.UP
    try:
        await client.learn_cards()
        if client.failure is None:
            passed("card list")
        if request is not None:
            await _ask(client, request, report)
    except (ConnectionLost, TimeoutError) as error:
        report.failure = str(error) or "the ECM was not answered"
    _describe_server(client, report)
    if (failure := client.failure) is not None:
        report.reached = failure.step
        report.failure = str(ConnectError(failure.step, failure.text))
    await client.close()
    return report


async def _ask(client: Client[Any], request: Request, report: Report) -> None:
    started = time.perf_counter()
    answer = await client.ask(request._replace(share_id=_share_for(client, request)))
    report.ecm_milliseconds = 1000 * (time.perf_counter() - started)
    if isinstance(answer, ControlWords):
        report.cw, report.ecm_result = answer, "CW"
    else:
        report.ecm_result = NOK_COMMANDS[answer].name


def _share_for(client: Client[Any], request: Request) -> ShareId:
    """The card that a receiver would choose: it fits, and it is the nearest."""
    fitting = [card for card in client.cards.values() if _fits(card, request)]
    return min(fitting, key=lambda card: card.hop).share_id if fitting else ShareId(0)


def _fits(card: Offer, request: Request) -> bool:
    idents = {provider.ident for provider in card.providers}
    return card.caid == request.caid and (not request.ident or request.ident in idents)


def _describe_server(client: Client[Any], report: Report) -> None:
    server = client.server
    if server is not None:
        report.version, report.build = server.version or None, server.build or None
        report.extended = server.extended
        report.revision = server.revision.value if server.revision is not None else None
        report.node_id = format_node_id(server.node_id) if server.node_id is not None else None
        report.partner = server.program or None
    report.cards = sorted(client.cards.values(), key=lambda card: (card.hop, card.caid))


# Reading the command line.


def _user_bytes(user: str, *, newcamd: bool = False) -> bytes:
    raw, most = user.encode("utf-8", "surrogateescape"), NEWCAMD_USER_LENGTH
    most = most if newcamd else USER_LENGTH
    if not 1 <= len(raw) <= most:
        raise typer.BadParameter(f"a user name has 1 to {most} bytes", param_hint="USER")
    return raw


def _read_request(
    ecm: bytes | None, caid: int | None, provider: int | None, sid: int | None
) -> Request | None:
    if ecm is None:
        if (caid, provider, sid) != (None, None, None):
            raise typer.BadParameter("--caid, --provider and --sid go with --ecm")
        return None
    if caid is None:
        raise typer.BadParameter("--ecm needs the --caid of its card, for instance --caid 7F00")
    return Request(Caid(caid), Ident(provider or 0), ShareId(0), Sid(sid or 0), ecm)


# Showing what was found.


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "address": report.address,
        "reached": report.reached.value,
        "failure": report.failure,
        "complete": report.complete,
        "steps": [{"step": step, "milliseconds": round(ms, 1)} for step, ms in report.steps],
        "version": report.version,
        "build": report.build,
        "revision": report.revision,
        "node_id": report.node_id,
        "partner": report.partner,
        "extended": report.extended,
        "cards": [_card_as_json(card) for card in report.cards],
        "ecm": _ecm_as_json(report),
    }


def _card_as_json(card: Offer) -> dict[str, Any]:
    return {
        "share_id": format_share_id(card.share_id),
        "caid": format_caid(card.caid),
        "providers": [format_ident(provider.ident) for provider in card.providers],
        "hop": card.hop,
        "reshare": card.reshare,
        "assigned_sids": [format_sid(sid) for sid in card.assigned_sids],
        "rejected_sids": [format_sid(sid) for sid in card.rejected_sids],
        "path": [format_node_id(node) for node in card.path],
    }


def _ecm_as_json(report: Report) -> dict[str, Any] | None:
    if not report.asked:
        return None
    milliseconds = report.ecm_milliseconds
    return {
        "result": report.ecm_result,
        "milliseconds": None if milliseconds is None else round(milliseconds, 1),
        "cw": None if report.cw is None else report.cw.raw.hex(),
    }


def _show(report: Report) -> None:
    for step, milliseconds in report.steps:
        passed = typer.style(f"after {milliseconds:.0f} ms", dim=True)
        typer.echo(f"{typer.style('ok', fg='green')}  {step} {passed}")
    if report.reached is Step.UP:
        _show_server(report)
    if report.failure is not None:
        _show_trouble(report.failure)
    elif report.asked:
        _show_answer(report)


def _show_trouble(text: str) -> None:
    typer.echo(f"{typer.style('--', fg='red')}  {text}")


def _show_server(report: Report) -> None:
    if report.version is not None:
        mode = "extended mode" if report.extended else "plain mode"
        who = f"version {report.version} build {report.build}, {report.revision}, {mode}"
        typer.echo(f"server   {who}")
        typer.echo(f"node id  {report.node_id}")
    if report.partner is not None:
        typer.echo(f"program  {report.partner}")
    if not report.cards:
        typer.echo("It offers no cards to this account.")
        return
    rows = [("share id", "CAID", "providers", "hop", "reshare")]
    for card in report.cards:
        idents = " ".join(format_ident(provider.ident) for provider in card.providers)
        share_id = format_share_id(card.share_id)
        rows.append((share_id, format_caid(card.caid), idents, str(card.hop), str(card.reshare)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _show_answer(report: Report) -> None:
    took = f"after {report.ecm_milliseconds:.1f} ms"
    if report.cw is not None:
        typer.echo(f"CW       {report.cw.raw.hex()} {took}")
    else:
        _show_trouble(f"the ECM was refused with {report.ecm_result} {took}")
