"""`cccamd explain --freeze`: whose fault a freeze was; and a file of it for a bug report."""

import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import typer
from pydantic import TypeAdapter

from cccamd import PROGRAM
from cccamd.cli.command import plain
from cccamd.cli.webreader import NoAnswer, NotKnown, address_of_config, read_freeze, read_status
from cccamd.errors import CccamdError
from cccamd.facts import Freeze
from cccamd.setup.nodeid import default_path
from cccamd.setup.setup import Setup
from cccamd.watch.journal import FILE_NAME, JournalError
from cccamd.watch.journal import read_freeze as read_from_journal
from cccamd.why import CHANGES, disguised_lines, freeze_lines, json_text

ABOUT: tuple[str, ...] = (
    "One freeze, for a bug report. Accounts, sources, channels, service ids, hosts, addresses and",
    "node ids are replaced, each by the same word throughout; look over it before you send it.",
)


class FreezeError(CccamdError):
    """The freeze is not to be had, or the report not to be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A freeze, and the names that occur around it."""

    freeze: Freeze
    accounts: tuple[str, ...]
    sources: tuple[str, ...]


def find_freeze(
    number: int, setup: Setup, config: Path | None, toml: Path | None, journal: Path | None
) -> Known:
    """Ask the running server, or else read the journal.

    Raises:
        FreezeError: nobody knows it.
    """
    accounts = [account.line.user for account in setup.accounts.values()]
    sources = [upstream.name for upstream in setup.upstreams]
    sources += [entry.config.name for entry in setup.toml.cards]
    try:
        if journal is not None:
            raise NoAnswer("a journal was named")
        address = address_of_config(config, toml)
        freeze = read_freeze(address, number)
        with suppress(NoAnswer):  # it names those that the files name
            status = read_status(address)
            accounts += status.server.accounts
            sources += [source.name for source in status.sources]
    except NotKnown as error:
        raise FreezeError(str(error)) from None
    except NoAnswer as error:
        freeze = _from_journal(number, journal or default_path().with_name(FILE_NAME), error)
    return Known(freeze=freeze, accounts=tuple(accounts), sources=tuple(sources))


def _from_journal(number: int, path: Path, no_answer: NoAnswer) -> Freeze:
    try:
        freeze = read_from_journal(path, number)
    except JournalError as error:
        raise FreezeError(f"{no_answer}; and {error}") from None
    if freeze is None:
        text = f"no freeze {number} is written down in {path}; `cccamd journal` lists them"
        raise FreezeError(text)
    return replace(freeze, change=CHANGES[freeze.verdict])


def show(known: Known, *, as_data: bool) -> None:
    """Print it for people, or as JSON."""
    if as_data:
        data = TypeAdapter(Freeze).dump_python(known.freeze, mode="json")
        typer.echo(json_text(data, indent=2))
        return
    for line in freeze_lines(known.freeze, when=_local):
        typer.echo(plain(line))


def write_report(known: Known, path: Path, *, force: bool) -> None:
    """Write it with all names replaced. A file that is there is kept, unless somebody says so.

    Raises:
        FreezeError: it is there already, or cannot be written.
    """
    if path.exists() and not force and not _may_replace(path):
        raise FreezeError(f"{path} is there already; --force overwrites it")
    lines = disguised_lines(known.freeze, accounts=known.accounts, sources=known.sources, when=_utc)
    try:
        _write(path, (*ABOUT, "", PROGRAM, *lines), replace_it=path.exists())
    except FileExistsError:
        raise FreezeError(f"{path} is there already; --force overwrites it") from None
    except OSError as error:
        raise FreezeError(f"{path} cannot be written: {error.strerror}") from None
    typer.echo(f"written: {path}", err=True)


def _may_replace(path: Path) -> bool:
    return sys.stdin.isatty() and typer.confirm(f"{path} is there already. Overwrite it?")


def _write(path: Path, lines: Iterable[str], *, replace_it: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if replace_it else os.O_EXCL)
    with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{plain(line)}\n" for line in lines)


def _local(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
