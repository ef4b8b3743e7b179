"""`cccamd explain`: why an account sees a card or not, and what line to change."""

import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import typer

from cccamd.cli.command import failing_plainly, plain
from cccamd.cli.freezeview import FreezeError, find_freeze, show, write_report
from cccamd.cli.webreader import (
    NoAnswer,
    address_of_config,
    read_explanation,
)
from cccamd.errors import NumberError
from cccamd.ids import (
    Caid,
    Ident,
    Sid,
    plain_address,
)
from cccamd.routing import Priorities
from cccamd.setup.files import ConfigFileError
from cccamd.setup.setup import Setup, load_setup
from cccamd.why import (
    Explanation,
    Question,
    Weight,
    as_json,
    evidence_of_files,
    json_text,
    report_lines,
)
from cccamd.why import explain as make_explanation

EXIT_WELL, EXIT_NOTHING, EXIT_UNREADABLE = 0, 1, 2


def run(
    *,
    account: str | None,
    caid: int | None,
    provider: int | None,
    sid: int | None,
    config: Path | None,
    toml: Path | None,
    as_data: bool,
    freeze: int | None,
    report: Path | None,
    force: bool,
    journal: Path | None,
) -> None:
    """Say which cards an account sees, which not and why, and what line to change."""
    if freeze is not None:
        if account is not None:
            raise typer.BadParameter("--freeze needs no account: its number says all")
        with failing_plainly("explain", ConfigFileError, FreezeError, status=EXIT_UNREADABLE):
            known = find_freeze(freeze, load_setup(config, toml), config, toml, journal)
            show(known, as_data=as_data)
            if report is not None:
                write_report(known, report, force=force)
        return
    if report is not None or journal is not None:
        raise typer.BadParameter("--report and --journal go with --freeze N")
    if account is None:
        raise typer.BadParameter("name an account, or a freeze with --freeze N")
    question = Question(
        account=account,
        address=_address(account),
        caid=None if caid is None else Caid(caid),
        ident=None if provider is None else Ident(provider),
        sid=None if sid is None else Sid(sid),
    )
    with failing_plainly("explain", ConfigFileError, status=EXIT_UNREADABLE):
        setup = load_setup(config, toml)
        if any(line.user == account for line in setup.config.f_lines):
            question = replace(question, address=None)
        explanation, where = _explain(question, setup, config, toml)
    _print(explanation, where, troubles=_troubles(setup), as_data=as_data)
    usable = any(card.usable for card in explanation.cards)
    if explanation.address:
        usable = all(finding.weight is not Weight.BAD for finding in explanation.findings)
    raise typer.Exit(EXIT_WELL if usable else EXIT_NOTHING)


def _explain(
    question: Question, setup: Setup, config: Path | None, toml: Path | None
) -> tuple[Explanation, str]:
    """Ask the running server, or else the files; say which it was."""
    try:
        address = address_of_config(config, toml)
        return read_explanation(address, question), f"as the server at {address.url} sees it"
    except NoAnswer as reason:
        where = f"{reason}\nThis is what the files say; `cccamd doctor` looks for the cause."
        return explain_files(question, setup), where


def _address(text: str) -> str | None:
    try:
        return plain_address(text)
    except NumberError:
        return None


def _print(explanation: Explanation, where: str, *, troubles: Iterable[str], as_data: bool) -> None:
    if as_data:
        typer.echo(json_text(as_json(explanation), indent=2))
        return
    typer.echo(_sentence(where))
    for text in troubles:
        typer.echo(f"the server does not start with these files: {plain(text)}")
    typer.echo()
    for line in report_lines(explanation, when=_time_of_day):
        typer.echo(plain(line))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _time_of_day(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


# The files alone.


def explain_files(question: Question, setup: Setup) -> Explanation:
    """Explain as far as the files reach: accounts, limits, local cards."""
    now = time.time()
    local = time.localtime(now)
    prio = setup.companions.prio
    evidence = evidence_of_files(
        setup.config,
        setup.toml,
        Priorities.of(prio.ignored, prio.orders),
        at=now,
        minute=60 * local.tm_hour + local.tm_min,
    )
    return make_explanation(question, evidence)


def _troubles(setup: Setup) -> list[str]:
    """Why no server runs with these files, if they are the cause."""
    if not setup.refused:
        return []
    return [str(message) for message in setup.messages if message.level >= logging.ERROR]
