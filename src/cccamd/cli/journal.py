"""`cccamd journal`: what clients did, as the server wrote it down."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from cccamd.cli.command import plain
from cccamd.cli.sourcesview import show_sources
from cccamd.ids import Caid, Ident, Sid, format_caid, format_ident, format_service, format_sid
from cccamd.setup.cccamcfg import ChannelNames, load_config, parse_channelinfo
from cccamd.setup.files import ConfigFileError, read_file
from cccamd.setup.nodeid import default_path
from cccamd.watch.journal import FILE_NAME, Entry, JournalError, Kind, read_entries, sum_up

EXIT_UNREADABLE: Final = 2
_COLUMNS: Final = (
    *("at", "until", "kind", "account", "address", "caid", "ident", "sid", "channel"),
    *("source", "asked", "answered", "median", "worst", "text"),
    *("subject", "number", "cause", "suffering", "evidence", "up", "losses"),
)


def journal(
    account: Annotated[
        str | None, typer.Argument(help="Whose entries to show; all of them without.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="The oldest to show: 2h, 30m, 3d, today, yesterday, 20:15, 2026-11-22.",
        ),
    ] = None,
    sources: Annotated[
        bool,
        typer.Option(
            "--sources", help="Sum up how often each source was away, and how it answered."
        ),
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for programs.")] = False,
    as_data: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The journal; without it that in the server's own folder."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "-C",
            "--config",
            metavar="FILE",
            help="The CCcam.cfg that says where channel names are.",
        ),
    ] = None,
) -> None:
    """Show channel changes, answer times, logins, freezes, incidents and outages, oldest first.

    Exit status: 0 shown, 2 there is no journal, or it cannot be read.
    """
    if as_csv and as_data:
        raise typer.BadParameter("--csv and --json cannot go together")
    if sources and account is not None:
        raise typer.BadParameter("--sources is about all accounts")
    path = file or default_path().with_name(FILE_NAME)
    try:
        if sources:
            found = read_entries(path, since=_timestamp(since), kinds=(Kind.SOURCE, Kind.OUTAGE))
            show_sources(sum_up(found), as_csv=as_csv, as_data=as_data)
            return
        entries = read_entries(path, account=account, since=_timestamp(since))
        _print(entries, _channel_names(config), as_csv=as_csv, as_data=as_data)
    except JournalError as error:
        typer.echo(f"cccamd journal: {error}", err=True)
        raise typer.Exit(EXIT_UNREADABLE) from None
    except BrokenPipeError:
        sys.stderr.close()  # whoever read along has seen enough


def _timestamp(since: str | None) -> float | None:
    if since is None:
        return None
    try:
        return parse_since(since, datetime.now().astimezone()).timestamp()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None


def _channel_names(config: Path | None) -> ChannelNames | None:
    """Read CCcam.channelinfo; numbers do as well when there is none."""
    try:
        name = load_config(config).result.config.settings.channelinfo_file
        return parse_channelinfo(read_file(Path(name))) if name else None
    except ConfigFileError:
        return None


def _print(
    entries: Iterable[Entry], names: ChannelNames | None, *, as_csv: bool, as_data: bool
) -> None:
    if as_csv:
        write_csv(entries, names, sys.stdout)
    elif as_data:
        rows = [_record(entry, names) for entry in entries]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print_for_people(entries, names)


def write_csv(entries: Iterable[Entry], names: ChannelNames | None, file: TextIO) -> None:
    """Write a table with a heading."""
    table = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
    table.writeheader()
    for entry in entries:
        table.writerow({key: _cell(value) for key, value in _record(entry, names).items()})


def _cell(value: object) -> object:
    """Keep a name that begins like a formula from becoming one in a spreadsheet."""
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@"))
    return f"'{value}" if is_formula else value


def _record(entry: Entry, names: ChannelNames | None) -> dict[str, object]:
    values: dict[str, object] = asdict(entry) | {
        "at": _iso(entry.at),
        "until": None if entry.until is None else _iso(entry.until),
        "kind": entry.kind.value,
        "caid": format_caid(entry.caid) if entry.caid else "",
        "ident": format_ident(entry.ident) if entry.caid else "",
        "sid": format_sid(entry.sid) if entry.caid else "",
        "channel": _name(entry, names),
    }
    return {column: values[column] for column in _COLUMNS}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="milliseconds")


def _name(entry: Entry, names: ChannelNames | None) -> str:
    if names is None or not entry.caid:
        return ""
    return names.name(Caid(entry.caid), Ident(entry.ident), Sid(entry.sid)) or ""


def _print_for_people(entries: Iterable[Entry], names: ChannelNames | None) -> None:
    count = 0
    for entry in entries:
        count += 1
        at = datetime.fromtimestamp(entry.at).strftime("%Y-%m-%d %H:%M:%S")
        typer.echo(plain(f"{at}  {entry.account or '-':<12}  {describe(entry, names)}"))
    if not count:
        typer.echo("nothing was written down for this")


def describe(entry: Entry, names: ChannelNames | None = None) -> str:
    """Tell one entry in words, without its time and account."""
    match entry.kind:
        case Kind.START:
            return "the server began to write"
        case Kind.LOGIN:
            return f"logged in from {entry.address}: {entry.text}"
        case Kind.LOGOUT:
            return f"logged out: {entry.text}"
        case Kind.REFUSED:
            return f"not let in from {entry.address}: {entry.text}"
        case Kind.LINK:
            return f"its link: {entry.text}"
        case Kind.VISIT:
            return ", ".join(_visit(entry, names))
        case Kind.FREEZE:
            which = f"FREEZE {entry.number}" if entry.number else "FREEZE"
            lasted = f"for {_length(entry)}" if entry.until else "with no end written down"
            return f"{which} on {_channel(entry, names)} {lasted}: {entry.text}"
        case Kind.INCIDENT:
            whom = f", accounts in trouble for it: {entry.suffering}" if entry.suffering else ""
            return f"INCIDENT for {_length(entry)}{whom}: {entry.subject} {entry.text}"
        case Kind.OUTAGE:
            return f"{entry.subject} was away for {_length(entry)}: {entry.text}"
        case Kind.SOURCE:
            return f"{entry.subject}: {', '.join(_source(entry))}"


def _source(entry: Entry) -> Iterator[str]:
    yield f"up for {_seconds(entry.up or 0.0)} of {_length(entry)}"
    if entry.losses:
        yield f"losses: {entry.losses}"
    yield from _answers(entry)


def _visit(entry: Entry, names: ChannelNames | None) -> Iterator[str]:
    yield f"{_channel(entry, names)} for {_length(entry)}"
    yield from _answers(entry)
    if entry.source:
        yield f"by {entry.source}"


def _answers(entry: Entry) -> Iterator[str]:
    yield f"{entry.answered} of {entry.asked} ECMs answered"
    if entry.median is not None and entry.worst is not None:
        yield f"usually in {_milliseconds(entry.median)}, at worst {_milliseconds(entry.worst)}"


def _channel(entry: Entry, names: ChannelNames | None) -> str:
    service = format_service(entry.caid, entry.ident, entry.sid)
    name = _name(entry, names)
    return f"{name} ({service})" if name else service


def _length(entry: Entry) -> str:
    return _seconds(max(0.0, (entry.until or entry.at) - entry.at))


def _seconds(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


# Points in time.

_AGO: Final = re.compile(r"(\d{1,6})\s*(s|m|min|h|d|w)")
_UNITS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
EXPECTED: Final = "2h, 30m, 3d, 1w, today, yesterday, 20:15, 2026-11-22 or 2026-11-22 20:15"


def parse_since(text: str, now: datetime) -> datetime:
    """Read a point in time; without a time zone it is in that of `now`.

    Raises:
        ValueError: it is none; the text says what is expected.
    """
    words = text.strip().lower()
    if words in ("today", "yesterday"):
        day = now.date() - timedelta(days=words == "yesterday")
        return datetime.combine(day, time(), now.tzinfo)
    try:
        if ago := _AGO.fullmatch(words):
            return now - int(ago[1]) * _UNITS[ago[2]]
        if clock := re.fullmatch(r"(\d{1,2})(:\d{2}(?::\d{2})?)", words):
            at = time.fromisoformat(clock[1].zfill(2) + clock[2])
            return datetime.combine(now.date(), at, now.tzinfo)
        moment = datetime.fromisoformat(words.upper())
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no point in time; expected {EXPECTED}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
