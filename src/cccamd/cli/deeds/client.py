"""`cccamd client`: print what to enter in a receiver or program for an account."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

import typer

from cccamd.cli.command import failing_plainly
from cccamd.errors import CccamdError
from cccamd.setup.doors import address_of, doors_of
from cccamd.setup.files import ConfigFileError
from cccamd.setup.logins import Account
from cccamd.setup.recipes import PROGRAMS, Way
from cccamd.setup.setup import Setup, load_setup

EXIT_NOT_OPEN: Final = 1
EXIT_UNUSABLE: Final = 2
_TO_OPEN: Final = {
    Way.CCCAM: "SERVER LISTEN PORT of CCcam.cfg is 0",
    Way.NEWCAMD: "no [[newcamd]] table of cccamd.toml lets this account in",
    Way.DVBAPI: "[dvbapi] of cccamd.toml opens nothing for this account",
}


def run(
    *,
    account: str,
    program: str,
    over: str,
    host: str,
    config: Path | None,
    toml: Path | None,
    as_data: bool,
) -> None:
    """Print what to enter in a receiver or program, so that it logs in with an account."""
    recipes = PROGRAMS.get(program.lower())
    if recipes is None:
        raise typer.BadParameter(f"known are {', '.join(PROGRAMS)}", param_hint="--for")
    if over and over not in {way.value for way in recipes}:
        ways = " and ".join(way.value for way in recipes)
        raise typer.BadParameter(f"{program} knows {ways}", param_hint="--over")
    with failing_plainly("client", ConfigFileError, CccamdError, status=EXIT_UNUSABLE):
        setup = load_setup(config, toml)
        found = _account(setup, account)
    wanted = [Way(over)] if over else list(recipes)
    doors = {door.way: door for door in doors_of(setup, found, host or address_of(setup))}
    way = next((way for way in wanted if way in doors), None)
    if way is None:
        why = "; ".join(_TO_OPEN[way] for way in wanted)
        typer.echo(f"cccamd client: nothing is open for {program}: {why}", err=True)
        raise typer.Exit(EXIT_NOT_OPEN)
    recipe = recipes[way](doors[way])
    if as_data:
        data = {"program": program.lower(), "over": way.value, **asdict(recipe)}
        typer.echo(json.dumps(data, indent=2))
        return
    typer.echo(f"{program}, over {way.value}: {recipe.where}", err=True)
    if recipe.note:
        typer.echo(f"note: {recipe.note}", err=True)
    if way is not Way.DVBAPI:
        typer.echo("It holds the password of the account: keep it to yourself.\n", err=True)
    typer.echo(recipe.text)


class NotToBeHad(CccamdError):
    """There is nothing to print."""


def _account(setup: Setup, name: str) -> Account:
    accounts = {each.line.user: each for each in setup.accounts.values()}
    if name in accounts:
        return accounts[name]
    near = next((user for user in accounts if user.lower() == name.lower()), None)
    if near is not None:
        raise NotToBeHad(f"no F-line has the user name {name}; did you mean {near}?")
    raise NotToBeHad(f"no F-line of {setup.config.file} has the user name {name}")
