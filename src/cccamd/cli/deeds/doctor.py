"""`cccamd doctor`: find out what is wrong with an installation, and what to do about it."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from cccamd.cli.command import plain
from cccamd.cli.looking import Wish, look
from cccamd.setup.nodeid import default_path
from cccamd.why import Diagnosis, Grade, examine, worst

_STYLES: Final = {
    Grade.OK: Style(color="green"),
    Grade.NOT_CHECKED: Style(dim=True),
    Grade.ADVICE: Style(color="cyan"),
    Grade.WARNING: Style(color="yellow", bold=True),
    Grade.FAILURE: Style(color="red", bold=True),
}
_WORDS: Final = {
    Grade.FAILURE: ("failure", "failures"),
    Grade.WARNING: ("warning", "warnings"),
    Grade.ADVICE: ("piece of advice", "pieces of advice"),
    Grade.OK: ("ok", "ok"),
    Grade.NOT_CHECKED: ("not checked", "not checked"),
}
_WIDTH_OF_FILES: Final = 100
"""Columns where there is no terminal to ask."""


def run(
    *,
    config: Path | None,
    toml: Path | None,
    node_id: Path | None,
    ntp: list[str] | None,
    offline: bool,
    as_data: bool,
) -> None:
    """Examine this installation: what is wrong, how one sees it, and what to do."""
    wish = Wish(
        config=config,
        toml=toml,
        node_id=node_id or default_path(),
        ntp_servers=tuple(ntp or ()),
        offline=offline,
    )
    if as_data:
        found = list(examine(look(wish)))
        typer.echo(json.dumps(_as_json(found), indent=2))
    else:
        console = _console()
        with console.status("Looking at everything; some waits take seconds ..."):
            found = list(examine(look(wish)))
        _show(found, console)
    raise typer.Exit(worst(found).exit_status)


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_OF_FILES)


def _as_json(findings: Sequence[Diagnosis]) -> dict[str, Any]:
    return {
        "verdict": worst(findings).value,
        "exit_status": worst(findings).exit_status,
        "findings": [
            {
                "check": found.check.value,
                "subject": found.subject,
                "code": found.finding.code,
                "verdict": found.grade.value,
                "evidence": found.finding.text,
                "advice": found.advice,
                "more": list(found.more),
            }
            for found in findings
        ],
    }


def _show(findings: Sequence[Diagnosis], console: Console) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for found in findings:
        grade = Text(found.grade.value, style=_STYLES[found.grade])
        grid.add_row(grade, Text(found.check.value), _body(found))
    console.print(grid)
    console.print()
    console.print(_summary(findings))


def _body(found: Diagnosis) -> Table:
    """Evidence, what to do, and the small print."""
    subject = f"{plain(found.subject)}: " if found.subject else ""
    evidence = Text(subject, style=Style(bold=True))
    evidence.append(plain(found.finding.text), style=Style(bold=False))
    body = Table.grid()
    body.add_row(evidence)
    if found.advice:
        body.add_row(
            _hanging("-> ", Text(plain(found.advice), Style(bold=True)), _STYLES[found.grade])
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


def _summary(findings: Sequence[Diagnosis]) -> Text:
    numbers = Counter(found.grade for found in findings)
    counts = ", ".join(
        f"{numbers[grade]} {words[numbers[grade] != 1]}"
        for grade, words in _WORDS.items()
        if numbers[grade]
    )
    grade = worst(findings)
    if grade.exit_status:
        first = next(found for found in findings if found.grade is grade)
        about = " ".join(filter(None, (first.check.value, plain(first.subject))))
        counts += f". Begin with: {about}."
    return Text(counts, style=_STYLES[grade])
