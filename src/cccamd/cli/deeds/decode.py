"""`cccamd decode`: a recorded session made readable."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import typer

from cccamd.cli.command import failing_plainly, plain
from cccamd.decode import CaptureError, Decoder, read_packets
from cccamd.errors import CccamdError
from cccamd.ids import CONFIG_KEY_LENGTH, USUAL_CONFIG_KEY, bare_bytes
from cccamd.setup.setup import Setup, load_setup
from cccamd.why import json_text
from cccamd.wire.overheard import Keyring, Kind, Record

EXIT_UNREAD: Final = 1
EXIT_UNUSABLE: Final = 2


# Passwords.


def run(
    *, file: Path, config: Path | None, toml: Path | None, secrets: bool, as_data: bool
) -> None:
    """Show what was said in recorded sessions: CCcam, newcamd and dvbapi, both sides."""
    with failing_plainly("decode", CccamdError, status=EXIT_UNUSABLE):
        keyring = _keyring(config, toml)
    decoder = Decoder(keyring, secrets=secrets)
    trouble: list[str] = []
    records = _records(file, decoder, trouble)
    try:
        _print_data(records) if as_data else _print(records)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read along has seen enough
        return
    if trouble:
        typer.echo(f"cccamd decode: {trouble[0]}", err=True)
        raise typer.Exit(EXIT_UNUSABLE)
    if not decoder.sessions and not decoder.unread:
        typer.echo("cccamd decode: no CCcam, newcamd or dvbapi session is in it", err=True)
        raise typer.Exit(EXIT_UNREAD)
    if decoder.unread:
        raise typer.Exit(EXIT_UNREAD)


def _keyring(config: Path | None, toml: Path | None) -> Keyring:
    try:
        setup = load_setup(config, toml)
    except CccamdError as error:
        if config is not None or toml is not None:
            raise
        typer.echo(f"cccamd decode: no passwords from the configuration: {error}", err=True)
        return Keyring(keys=[USUAL_CONFIG_KEY], ask_password=_ask_password, ask_key=_ask_key)
    passwords: dict[bytes, list[bytes]] = {}
    for user, password in _logins(setup):
        passwords.setdefault(user, []).append(password)
    keys = [table.key for table in setup.toml.newcamd]
    keys += [bytes.fromhex(line.deskey) for line in setup.config.n_lines]
    return Keyring(
        passwords=passwords,
        keys=[*keys, USUAL_CONFIG_KEY],
        ask_password=_ask_password,
        ask_key=_ask_key,
    )


def _logins(setup: Setup) -> Iterator[tuple[bytes, bytes]]:
    if setup.example is not None:
        return  # there is no configuration
    for account in setup.accounts.values():
        yield account.user, account.password
    for line in (*setup.config.c_lines, *setup.config.n_lines):
        yield line.user_bytes(), line.password_bytes()


def _ask_password(user: str) -> bytes | None:
    answer = _ask(f"Password of {user} (Enter: unknown): ")
    return answer.encode() if answer else None


def _ask_key(server: str) -> bytes | None:
    answer = _ask(f"DES key of the newcamd server {server}, 28 hex digits (Enter: unknown): ")
    return bare_bytes(answer.replace(" ", ""), CONFIG_KEY_LENGTH)


def _ask(question: str) -> str:
    """Ask whoever sits at the terminal, also while the capture comes through a pipe."""
    if not sys.stderr.isatty():
        return ""
    with suppress(OSError, EOFError), open("/dev/tty"):
        return getpass.getpass(plain(question))
    return ""


# Reading and printing.


def _records(file: Path, decoder: Decoder, trouble: list[str]) -> Iterator[Record]:
    """All records; what is wrong with the file goes to `trouble`, after what came before it."""
    try:
        if str(file) == "-":
            yield from _read(sys.stdin.buffer, decoder)
        else:
            with file.open("rb") as opened:
                yield from _read(opened, decoder)
    except OSError as error:
        trouble.append(f"{file}: {error.strerror or error}")
    except CaptureError as error:
        trouble.append(f"{'the capture' if str(file) == '-' else file}: {error}")
    except KeyboardInterrupt:
        pass  # a capture that goes on ends here
    yield from decoder.finish()


def _read(opened: Any, decoder: Decoder) -> Iterator[Record]:
    for packet in read_packets(opened):
        yield from decoder.take(packet)


def _print(records: Iterator[Record]) -> None:
    day = ""
    for record in records:
        at = datetime.fromtimestamp(record.at)
        if (today := at.strftime("%Y-%m-%d")) != day:
            day = today
            typer.echo(day)
        sign = "!" if record.kind is Kind.UNREAD else " "
        who = f"{record.sender.value:<7}" if record.sender.value else ""
        when = at.strftime("%H:%M:%S.%f")[:-3]
        typer.echo(plain(f"{when} #{record.connection:<3}{sign}{who}{record.text}"))


def _print_data(records: Iterator[Record]) -> None:
    """One array, one record a line: what comes through a pipe can be read as it comes."""
    before = "["
    for record in records:
        typer.echo(f"{before}\n{json_text(_data(record))}", nl=False)
        before = ","
    typer.echo("\n]" if before == "," else "[]")


def _data(record: Record) -> dict[str, object]:
    return {
        "at": record.at,
        "connection": record.connection,
        "from": record.sender.value,
        "kind": record.kind.value,
        "text": record.text,
        **record.facts,
    }
