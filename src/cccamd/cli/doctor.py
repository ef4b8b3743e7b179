"""`cccamd doctor`: find out what is wrong with an installation, and what to do about it."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from cccamd import PROGRAM
from cccamd.cli.terminal import plain
from cccamd.doctor import Finding, Request, Verdict, examine, worst
from cccamd.setup.nodeid import default_path

_STYLES: Final = {
    Verdict.OK: Style(color="green"),
    Verdict.NOT_CHECKED: Style(dim=True),
    Verdict.ADVICE: Style(color="cyan"),
    Verdict.WARNING: Style(color="yellow", bold=True),
    Verdict.FAILURE: Style(color="red", bold=True),
}
_WORDS: Final = {
    Verdict.FAILURE: ("failure", "failures"),
    Verdict.WARNING: ("warning", "warnings"),
    Verdict.ADVICE: ("piece of advice", "pieces of advice"),
    Verdict.OK: ("ok", "ok"),
    Verdict.NOT_CHECKED: ("not checked", "not checked"),
}
_WIDTH_OF_FILES: Final = 100
"""Columns where there is no terminal to ask."""


# `readable=False`: that a file cannot be read is for us to explain.
def doctor(
    config: Annotated[
        Path | None,
        typer.Option(
            "-C",
            "--config",
            metavar="FILE",
            readable=False,
            help="CCcam.cfg, if it is not in a usual place.",
        ),
    ] = None,
    toml: Annotated[
        Path | None,
        typer.Option(
            "-T",
            "--toml",
            metavar="FILE",
            readable=False,
            help="cccamd.toml, if it is not beside CCcam.cfg.",
        ),
    ] = None,
    node_id: Annotated[
        Path | None,
        typer.Option(
            "-n", "--node-id", metavar="FILE", readable=False, help="The file with our node id."
        ),
    ] = None,
    ntp: Annotated[
        list[str] | None,
        typer.Option(
            "--ntp",
            metavar="HOST",
            help="Ask this host for the time, instead of those set for this machine. May be"
            " given several times.",
        ),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Send nothing to other machines.")
    ] = False,
    as_data: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Examine this installation: what is wrong, how one sees it, and what to do.

    Give it the same options as the server. It changes nothing, and works whether the server
    runs or not; as root it sees more. Only hosts that your configuration names are contacted.

    Exit status, by the worst verdict: 0 ok or advice, 1 warning, 2 failure.
    """
    request = Request(
        config=config,
        toml=toml,
        node_id=node_id or default_path(),
        ntp_servers=tuple(ntp or ()),
        offline=offline,
        program=f"{PROGRAM} doctor",
    )
    if as_data:
        findings = examine(request)
        typer.echo(json.dumps(_as_json(findings), indent=2))
    else:
        console = _console()
        with console.status("Looking at everything; some waits take seconds ..."):
            findings = examine(request)
        _show(findings, console)
    raise typer.Exit(worst(findings).exit_status)


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_FILES)


def _as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "verdict": worst(findings).value,
        "exit_status": worst(findings).exit_status,
        "findings": [
            {
                "check": found.check.value,
                "subject": found.subject,
                "verdict": found.verdict.value,
                "evidence": found.evidence,
                "advice": found.advice,
                "more": list(found.more),
            }
            for found in findings
        ],
    }


def _show(findings: Sequence[Finding], console: Console) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for found in findings:
        verdict = Text(found.verdict.value, style=_STYLES[found.verdict])
        grid.add_row(verdict, Text(found.check.value), _body(found))
    console.print(grid)
    console.print()
    console.print(_summary(findings))


def _body(found: Finding) -> Table:
    """Evidence, what to do, and the small print."""
    subject = f"{plain(found.subject)}: " if found.subject else ""
    evidence = Text(subject, style=Style(bold=True))
    evidence.append(plain(found.evidence), style=Style(bold=False))
    body = Table.grid()
    body.add_row(evidence)
    if found.advice:
        body.add_row(
            _hanging("-> ", Text(plain(found.advice), Style(bold=True)), _STYLES[found.verdict])
        )
    for line in found.more:
        body.add_row(_hanging("   ", Text(plain(line)), Style(dim=True)))
    return body


def _hanging(mark: str, text: Text, style: Style) -> Table:
    """A paragraph whose further lines begin below its first word; leading blanks stay."""
    indent = len(text.plain) - len(text.plain.lstrip())
    row = Table.grid()
    row.add_column(no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(Text(mark + " " * indent, style), Text(text.plain.lstrip(), text.style or style))
    return row


def _summary(findings: Sequence[Finding]) -> Text:
    numbers = Counter(found.verdict for found in findings)
    counts = ", ".join(
        f"{numbers[verdict]} {words[numbers[verdict] != 1]}"
        for verdict, words in _WORDS.items()
        if numbers[verdict]
    )
    verdict = worst(findings)
    if verdict.exit_status:
        first = next(found for found in findings if found.verdict is verdict)
        about = " ".join(filter(None, (first.check.value, plain(first.subject))))
        counts += f". Begin with: {about}."
    return Text(counts, style=_STYLES[verdict])
