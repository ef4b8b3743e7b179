"""`cccamd journal`: what clients did, as the server wrote it down."""

import re
import sys
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

import typer

from cccamd.cli.command import plain
from cccamd.cli.sourcesview import show_sources
from cccamd.setup.cccamcfg import load_config, parse_channelinfo
from cccamd.setup.files import ConfigFileError, read_file
from cccamd.setup.nodeid import default_path
from cccamd.watch.journal import FILE_NAME, Entry, JournalError, Kind, read_entries, sum_up
from cccamd.why import (
    ChannelName,
    describe_entry,
    entry_record,
    json_text,
    nameless,
    write_entries,
)

EXIT_UNREADABLE: Final = 2


def run(
    *,
    account: str | None,
    since: str | None,
    sources: bool,
    as_csv: bool,
    as_data: bool,
    file: Path | None,
    config: Path | None,
) -> None:
    """Show channel changes, answer times, logins, freezes, incidents and outages, oldest first."""
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
        _print(entries, _channel_name(config), as_csv=as_csv, as_data=as_data)
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


def _channel_name(config: Path | None) -> ChannelName:
    """Read CCcam.channelinfo; numbers do as well when there is none."""
    try:
        name = load_config(config).result.config.settings.channelinfo_file
        return parse_channelinfo(read_file(Path(name))).name if name else nameless
    except ConfigFileError:
        return nameless


def _print(entries: Iterable[Entry], name: ChannelName, *, as_csv: bool, as_data: bool) -> None:
    if as_csv:
        write_entries(entries, name, sys.stdout)
    elif as_data:
        rows = [entry_record(entry, name) for entry in entries]
        typer.echo(json_text(rows, indent=2))
    else:
        _print_for_people(entries, name)


def _print_for_people(entries: Iterable[Entry], name: ChannelName) -> None:
    count = 0
    for entry in entries:
        count += 1
        at = datetime.fromtimestamp(entry.at).strftime("%Y-%m-%d %H:%M:%S")
        typer.echo(plain(f"{at}  {entry.account or '-':<12}  {describe_entry(entry, name)}"))
    if not count:
        typer.echo("nothing was written down for this")


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
