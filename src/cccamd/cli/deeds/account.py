"""`cccamd account`: add, show, switch and remove the accounts of CCcam.cfg."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

import typer

from cccamd.acting import (
    Answer,
    LostServerError,
    NoServerError,
    OrderError,
    Reload,
    Status,
    give,
)
from cccamd.cli.command import failing_plainly, plain
from cccamd.cli.orders import places
from cccamd.errors import CccamdError
from cccamd.setup.accountacts import AccountAct, AccountChange, change_account
from cccamd.setup.accounts import new_password
from cccamd.setup.cccamcfg import EditError, find_account, load_config
from cccamd.setup.doors import ProgramRecipe, address_of, code_text, recipes_of
from cccamd.setup.files import ConfigFileError, read_file
from cccamd.setup.qrcode import print_code
from cccamd.setup.setup import load_setup
from cccamd.setup.toml import TomlConfig

EXIT_NOT_DONE: Final = 1
EXIT_UNUSABLE: Final = 2

# Changing.


def add(
    *,
    name: str,
    rest: str,
    ask: bool,
    config: Path | None,
    toml: Path | None,
    host: str,
    code: bool,
    node_id: Path | None,
    as_data: bool,
) -> None:
    """Add an account, have the server take it, and print what to enter in each program."""
    password = _read_password() if ask else new_password()
    change = AccountChange(act=AccountAct.ADD, name=name, password=password, rest=rest)
    _, told = _edit(change, config, node_id)
    _show("add", name, config, toml, host, code=code, as_data=as_data, told=told)


def show(
    *, name: str, config: Path | None, toml: Path | None, host: str, code: bool, as_data: bool
) -> None:
    """Print what to enter in each program for an account. Its password is part of it."""
    _show("show", name, config, toml, host, code=code, as_data=as_data, told=None)


def disable(*, name: str, config: Path | None, node_id: Path | None, as_data: bool) -> None:
    """Switch an account off: its line becomes a remark, and its receivers are sent away."""
    _change(AccountAct.DISABLE, name, config, node_id, as_data=as_data)


def enable(*, name: str, config: Path | None, node_id: Path | None, as_data: bool) -> None:
    """Switch an account on again, as it was."""
    _change(AccountAct.ENABLE, name, config, node_id, as_data=as_data)


def remove(*, name: str, config: Path | None, node_id: Path | None, as_data: bool) -> None:
    """Take an account out of the file, also one that is switched off."""
    _change(AccountAct.REMOVE, name, config, node_id, as_data=as_data)


def _read_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _path(config: Path | None) -> Path:
    path = config or load_config().path
    if path is None:
        raise ConfigFileError("CCcam.cfg", "there is none in the usual places; name it with -C")
    return path


def _edit(change: AccountChange, config: Path | None, node_id: Path | None) -> tuple[str, Answer]:
    """Change the file, and have the server read it; a remark on that, and what it says."""
    command = f"account {change.act.value}"
    with failing_plainly(command, EditError, ConfigFileError, status=EXIT_UNUSABLE):
        path = _path(config)
        remark = change_account(path, change, lambda: _toml_beside(path))
    try:
        for answer in give(Reload(change.because, change.name), places(node_id)):
            if isinstance(answer, Answer):
                return remark, answer
    except NoServerError:
        text = "none was told; one that runs with this file takes it by itself within seconds"
        return remark, Answer(text=text)
    except (LostServerError, OrderError) as error:
        return remark, Answer(status=Status.UNREACHABLE, text=str(error))
    raise AssertionError("an order without an answer")


def _toml_beside(path: Path) -> TomlConfig:
    """What cccamd.toml says; nothing, if it cannot be read: that is not what was asked."""
    try:
        return load_setup(path, None).toml
    except ConfigFileError:
        return TomlConfig()


def _change(
    act: AccountAct, name: str, config: Path | None, node_id: Path | None, *, as_data: bool
) -> None:
    remark, told = _edit(AccountChange(act=act, name=name), config, node_id)
    if as_data:
        record = {"account": name, "done": act.done, "remark": remark, "server": told.record()}
        typer.echo(json.dumps(record))
    else:
        typer.echo(f"{act.done}: {plain(name)}")
        _remark(remark)
        _tell(told)
    raise typer.Exit(_status(told))


def _remark(text: str) -> None:
    if text:
        typer.echo(f"note: {plain(text)}", err=True)


def _tell(told: Answer) -> None:
    for line in told.text.splitlines():
        typer.echo(f"the server: {plain(line)}", err=True)


def _status(told: Answer | None) -> int:
    """What else is wrong with the files is nobody's fault here."""
    bad = told is not None and told.status in (Status.UNUSABLE, Status.UNREACHABLE)
    return EXIT_NOT_DONE if bad else 0


# Showing.


def _show(
    act: str,
    name: str,
    config: Path | None,
    toml: Path | None,
    host: str,
    *,
    code: bool,
    as_data: bool,
    told: Answer | None,
) -> None:
    with failing_plainly(f"account {act}", CccamdError, status=EXIT_UNUSABLE):
        path = _path(config)
        setup = load_setup(path, toml)
        accounts = {each.line.user: each for each in setup.accounts.values()}
        account = accounts.get(name)
        if account is None:
            if find_account(read_file(path), name).lines:
                typer.echo(f"cccamd account {act}: {plain(name)} is switched off", err=True)
                raise typer.Exit(EXIT_NOT_DONE)
            raise EditError(f"there is no account {name}")
    recipes = recipes_of(setup, account, host or address_of(setup))
    if as_data:
        found = [{"program": p, "over": way.value, **asdict(r)} for p, way, r in recipes]
        record: dict[str, object] = {
            "account": name,
            "password": account.line.password,
            "programs": found,
        }
        if told is not None:
            record["server"] = told.record()
        typer.echo(json.dumps(record, indent=2))
        raise typer.Exit(_status(told))
    if told is not None:
        typer.echo(f"{AccountAct.ADD.done}: {plain(name)}", err=True)
        _tell(told)
    _print(recipes)
    if code and code_text(recipes) and sys.stdout.isatty():
        print_code(code_text(recipes), sys.stdout)
    raise typer.Exit(_status(told))


def _print(recipes: list[ProgramRecipe]) -> None:
    typer.echo("What follows holds the account's password: keep it to yourself.", err=True)
    if not recipes:
        typer.echo("No port is open for this account: see SERVER LISTEN PORT.", err=True)
    for program, way, recipe in recipes:
        typer.echo(f"\n{program}, over {way.value}: {recipe.where}")
        if recipe.note:
            typer.echo(f"  ({recipe.note})")
        for line in recipe.text.splitlines():
            typer.echo(f"    {line}")
