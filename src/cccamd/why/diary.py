"""The entries of the journal in words, and as rows for programs and spreadsheets."""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Final, TextIO

from cccamd.ids import Caid, Ident, Sid, format_caid, format_ident, format_service, format_sid
from cccamd.watch.journal import Entry, Kind
from cccamd.wording import span

COLUMNS: Final = (
    *("at", "until", "kind", "account", "address", "caid", "ident", "sid", "channel"),
    *("source", "asked", "answered", "median", "worst", "text"),
    *("subject", "number", "cause", "suffering", "evidence", "up", "losses"),
)
ChannelName = Callable[[Caid, Ident, Sid], str | None]


def nameless(_caid: Caid, _ident: Ident, _sid: Sid) -> str | None:
    """Names no channel."""
    return None


def write_entries(
    entries: Iterable[Entry], name: ChannelName, file: TextIO, *, heading: bool = True
) -> None:
    """Write a table, with a heading."""
    table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    if heading:
        table.writeheader()
    for entry in entries:
        table.writerow({key: _cell(value) for key, value in entry_record(entry, name).items()})


def _cell(value: object) -> object:
    """Keep a name that begins like a formula from becoming one in a spreadsheet."""
    if not isinstance(value, str):
        return value
    # And a stranger's name from steering the terminal that shows the table.
    shown = "".join(char if char.isprintable() or char == "\n" else "?" for char in value)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def entry_record(entry: Entry, name: ChannelName) -> dict[str, object]:
    """One entry as a row."""
    values: dict[str, object] = asdict(entry) | {
        "at": _iso(entry.at),
        "until": None if entry.until is None else _iso(entry.until),
        "kind": entry.kind.value,
        "caid": format_caid(entry.caid) if entry.caid else "",
        "ident": format_ident(entry.ident) if entry.caid else "",
        "sid": format_sid(entry.sid) if entry.caid else "",
        "channel": _name(entry, name),
    }
    return {column: values[column] for column in COLUMNS}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="milliseconds")


def _name(entry: Entry, name: ChannelName) -> str:
    if not entry.caid:
        return ""
    return name(Caid(entry.caid), Ident(entry.ident), Sid(entry.sid)) or ""


def describe_entry(entry: Entry, name: ChannelName = nameless) -> str:
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
            return ", ".join(_visit(entry, name))
        case Kind.FREEZE:
            which = f"FREEZE {entry.number}" if entry.number else "FREEZE"
            lasted = f"for {_length(entry)}" if entry.until else "with no end written down"
            return f"{which} on {_channel(entry, name)} {lasted}: {entry.text}"
        case Kind.INCIDENT:
            whom = f", accounts in trouble for it: {entry.suffering}" if entry.suffering else ""
            so_far = f" by {_clock(entry.until)}" if entry.goes_on and entry.until else ""
            return f"INCIDENT for {_length(entry)}{so_far}{whom}: {entry.subject} {entry.text}"
        case Kind.OUTAGE:
            seconds = (entry.until or entry.at) - entry.at
            away = away_for(seconds, entry.until if entry.goes_on else None)
            return f"{entry.subject} {away}: {entry.text}"
        case Kind.ACTION:
            return f"{entry.text}: done by {entry.subject}"
        case Kind.SOURCE:
            return f"{entry.subject}: {', '.join(_source(entry))}"


def away_for(seconds: float, by: float | None) -> str:
    """How long a source was away. `by`: until then it was not back, and it may be away still."""
    if by is None:
        return f"was away for {span(max(0.0, seconds))}"
    return f"has been away for {span(max(0.0, seconds))} by {_clock(by)}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


def _source(entry: Entry) -> Iterator[str]:
    yield f"up for {span(entry.up or 0.0)} of {_length(entry)}"
    if entry.losses:
        yield f"losses: {entry.losses}"
    yield from _answers(entry)


def _visit(entry: Entry, name: ChannelName) -> Iterator[str]:
    yield f"{_channel(entry, name)} for {_length(entry)}"
    yield from _answers(entry)
    if entry.source:
        yield f"by {entry.source}"


def _answers(entry: Entry) -> Iterator[str]:
    yield f"{entry.answered} of {entry.asked} ECMs answered"
    if entry.median is not None and entry.worst is not None:
        yield f"usually in {_milliseconds(entry.median)}, at worst {_milliseconds(entry.worst)}"


def _channel(entry: Entry, name: ChannelName) -> str:
    service = format_service(entry.caid, entry.ident, entry.sid)
    called = _name(entry, name)
    return f"{called} ({service})" if called else service


def _length(entry: Entry) -> str:
    return span(max(0.0, (entry.until or entry.at) - entry.at))


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"
