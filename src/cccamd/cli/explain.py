"""`cccamd explain`: why an account sees a card or not, and what line to change."""

import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.command import AsData, failing_plainly, hex_option, plain
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
    parse_caid,
    parse_ident,
    parse_sid,
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


def explain(
    account: Annotated[
        str | None,
        typer.Argument(
            metavar="ACCOUNT|ADDRESS",
            help="The user name of an F-line; or an IP address: whether it may log in.",
            show_default=False,
        ),
    ] = None,
    caid: Annotated[
        int | None, hex_option(parse_caid, "Only cards of this CAID, such as 0B00.")
    ] = None,
    provider: Annotated[
        int | None, hex_option(parse_ident, "... and this provider, such as 030B00.")
    ] = None,
    sid: Annotated[int | None, hex_option(parse_sid, "... and this service, such as 1D80.")] = None,
    config: Annotated[
        Path | None, typer.Option("-C", "--config", metavar="FILE", help="CCcam.cfg, as for serve.")
    ] = None,
    toml: Annotated[
        Path | None, typer.Option("-T", "--toml", metavar="FILE", help="cccamd.toml, as for serve.")
    ] = None,
    as_data: AsData = False,
    freeze: Annotated[
        int | None,
        typer.Option("--freeze", min=1, metavar="N", help="Say whose fault freeze number N was."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write that freeze to FILE for a bug report, names and addresses replaced.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite FILE if it is there already.")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal", metavar="FILE", help="Look for that freeze in this journal, ask no server."
        ),
    ] = None,
) -> None:
    """Say which cards an account sees, which not and why, and what line to change.

    With --freeze it says whose fault a freeze was; `cccamd journal` and the page have the numbers.

    Asks the running server on its WEBINFO LISTEN PORT; without one it reads the files.

    Exit status: 0 the account can use a card, or the address may log in (or the freeze was found),
    1 it can use none, or may not, 2 a file cannot be read (or the freeze is not to be found).
    """
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
