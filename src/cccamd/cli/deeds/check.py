"""`cccamd check`: read a CCcam.cfg as the server would, and say what is wrong with it."""

import gc
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

from cccamd.cli.command import failing_plainly
from cccamd.setup.cccamcfg import (
    Companions,
    Config,
    Diagnostic,
    Hint,
    MaskedLine,
    ParseResult,
    Severity,
    as_json,
    load_companions,
    masked_lines,
    parse,
)
from cccamd.setup.files import (
    ConfigFileError,
    ConfigFileMissingError,
    FileProblem,
    read_file,
    read_stream,
)
from cccamd.setup.rights import OPEN_TO_ALL, can_be_read_by_all
from cccamd.wording import count

_STDIN = "-"
_TOML_ENDING = ".toml"
_EXIT_CLEAN, _EXIT_FAULTS, _EXIT_UNREADABLE = 0, 1, 2
_LABELS = {
    Severity.NOTE: ("note", Style(color="cyan")),
    Severity.WARNING: ("warning", Style(color="yellow")),
    Severity.ERROR: ("error", Style(color="red", bold=True)),
}
_HELP_STYLE = Style(color="green")
_HINT_STYLE = Style(dim=True)
_INDENT = "    "
SHOWN_LIMIT = 2000
"""Messages for people, of each kind of file; nobody reads more."""
_WIDTH_OF_FILES = 160
"""Columns of an excerpt where there is no terminal to ask."""


def run(*, file: str, strict: bool, as_data: bool, show_secrets: bool) -> None:
    """Read a CCcam.cfg and report each line that does not do what it seems to say."""
    if show_secrets and not as_data:
        raise typer.BadParameter("--show-secrets only works with --json")
    gc.disable()  # it ends soon, and a long file makes a million objects that all stay
    if file.endswith(_TOML_ENDING):
        if as_data:
            raise typer.BadParameter("--json is for CCcam.cfg, not for cccamd.toml")
        raise typer.Exit(_check_toml(Path(file), strict=strict))
    with failing_plainly("check", ConfigFileError, status=_EXIT_UNREADABLE):
        data = _read(file)
    result = parse(data, file="stdin" if file == _STDIN else file)
    companions = load_companions(result.config.settings)
    if as_data:
        shown = as_json(result, show_secrets=show_secrets)
        shown["companions"] = list(map(_companion_as_json, companions.problems))
        typer.echo(json.dumps(shown, indent=2))
    else:
        _print_for_people(data, result, companions)
        _tell_of_rights(file)
        _tell_of_toml(file)
    raise typer.Exit(_exit_status(result, companions, strict=strict))


def _companion_as_json(problem: FileProblem) -> dict[str, object]:
    return {"file": problem.place.file, "line": problem.place.line, "text": problem.text}


def _read(file: str) -> bytes:
    if file == _STDIN:
        return read_stream(sys.stdin.buffer, "stdin")
    return read_file(Path(file))


def _check_toml(path: Path, *, strict: bool) -> int:
    """Report what is wrong with a cccamd.toml."""
    # Not above: whoever checks a CCcam.cfg need not wait for the kinds of cards.
    from cccamd.localcards import find_kinds
    from cccamd.setup.toml import load

    with failing_plainly("check", ConfigFileError, status=_EXIT_UNREADABLE):
        read_file(path)  # what cannot be read at all is no fault in it
    installed = find_kinds()
    for text in installed.problems:
        typer.echo(text)
    found = load(path, kinds=installed, required=True)
    typer.echo("".join(f"{problem}\n" for problem in found.problems), nl=False)
    _tell_of_rights(str(path))
    cards = count(len(found.config.cards), "local card")
    ports = found.config.newcamd
    for each in ports[:SHOWN_LIMIT]:
        typer.echo(f"newcamd on port {each.port}: {each.wish.words}")
    if len(ports) > SHOWN_LIMIT:
        typer.echo(f"and {len(ports) - SHOWN_LIMIT:,} more ports of newcamd")
    dvbapi = found.config.dvbapi
    if dvbapi.enabled:
        typer.echo(f"dvbapi on {', '.join(dvbapi.doors)}, by the account {dvbapi.account}")
    typer.echo(f"{cards}, {count(len(found.problems), 'problem')}")
    bad = [problem for problem in found.problems if strict or not problem.is_warning]
    return _EXIT_FAULTS if bad else _EXIT_CLEAN


def _tell_of_rights(file: str) -> None:
    """Nobody has to change it: CCcam.cfg is open to all by tradition."""
    if file != _STDIN and can_be_read_by_all(Path(file)):
        typer.echo(f"{file}: note: {OPEN_TO_ALL}")


def _tell_of_toml(file: str) -> None:
    """The server reads it, too, and nothing was said of it."""
    beside = Path(file).with_name(f"cccamd{_TOML_ENDING}")
    if file != _STDIN and beside.exists():
        typer.echo(f"the server reads {beside}, too: cccamd check {beside}")


def _exit_status(result: ParseResult, companions: Companions, *, strict: bool) -> int:
    severities = {severity for severity in Severity if result.count(severity)}
    if companions.problems:
        severities.add(Severity.WARNING)
    faults = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return _EXIT_FAULTS if severities & faults else _EXIT_CLEAN


def _print_for_people(data: bytes, result: ParseResult, companions: Companions) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a user name that the terminal cannot show
    console = Console(soft_wrap=True)
    width = console.width if console.is_terminal else _WIDTH_OF_FILES
    found_all = _worth_showing(result)
    shown = found_all[:SHOWN_LIMIT]
    numbers = {found.place.line for found in shown if found.place.line is not None}
    lines = masked_lines(data, numbers)
    report = [
        segment
        for found in shown
        for segment in _message(found, lines=lines, width=width - len(_INDENT))
    ]
    companion_problems = companions.problems
    for problem in companion_problems[:SHOWN_LIMIT]:
        report += _companion_message(problem)
    more = len(found_all[SHOWN_LIMIT:]) + len(companion_problems[SHOWN_LIMIT:])
    if not result.refused:
        more += sum(result.untold.values())
    if more:
        report.append(Segment(f"and {more:,} more messages\n"))
    hints = () if result.refused else (*result.hints, *_unread(result.config, companions))
    report += map(_hint, hints)
    report.append(Segment(f"{_summary(result, companions)}\n"))
    # Not rich's own text: it takes several times as long for the same lines.
    console.print(Segments(report), end="")


def _worth_showing(result: ParseResult) -> Sequence[Diagnostic]:
    """Of a file that is something else, no line is worth a word."""
    if not result.refused:
        return result.diagnostics
    return [found for found in result.diagnostics if found.place.line is None]


def _message(
    found: Diagnostic, *, lines: Mapping[int, MaskedLine], width: int
) -> Iterator[Segment]:
    label, style = _LABELS[found.severity]
    place = found.place
    yield Segment(f"{place}: ")
    yield Segment(f"{label} {found.code}", style)
    yield Segment(f": {found.text}\n")
    if place.line is not None and place.line in lines:
        shown, mark = _excerpt(lines[place.line], place.column or 1, width)
        yield Segment(f"{_INDENT}{shown}\n")
        yield Segment(f"{_INDENT}{mark}\n", style)
    if found.instead is not None:
        yield Segment(f"{_INDENT}help: {found.instead}\n", _HELP_STYLE)


def _companion_message(problem: FileProblem) -> Iterator[Segment]:
    label, style = _LABELS[Severity.WARNING]
    yield Segment(f"{problem.place}: ")
    yield Segment(label, style)
    yield Segment(f": {problem.text}\n")


def _unread(config: Config, companions: Companions) -> Iterator[Hint]:
    """Tell of files that are named and not there; those of the defaults seldom are."""
    for key, error in companions.unread.items():
        if key in config.places and isinstance(error, ConfigFileMissingError):
            yield Hint(f"{error}; the server does without", config.place(key))


def _hint(hint: Hint) -> Segment:
    return Segment(f"{hint.place}: hint: {hint.text}\n", _HINT_STYLE)


def _excerpt(line: MaskedLine, column: int, width: int) -> tuple[str, str]:
    """Cut the part of a line that holds a column, and make the mark that goes under it."""
    at = line.column(column) - 1
    begin = 0 if at < width else at - width // 2
    shown = line.text[begin : begin + width]
    return shown, " " * cell_len(shown[: at - begin]) + "^"


def _summary(result: ParseResult, companions: Companions) -> str:
    if result.refused:
        return "the server would not start with this file"
    config = result.config
    upstreams = len(config.upstream_lines)
    warnings = result.count(Severity.WARNING) + len(companions.problems)
    return ", ".join(
        (
            count(len(config.f_lines), "account"),
            count(upstreams, "upstream"),
            count(result.count(Severity.ERROR), "error"),
            count(warnings, "warning"),
        )
    )
