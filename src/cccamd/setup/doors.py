"""The ways into a server that are open to an account, and what to enter for them."""

from collections.abc import Iterator
from typing import NamedTuple

from cccamd.ids import parse_address
from cccamd.machine import own_address
from cccamd.setup.logins import Account
from cccamd.setup.recipes import PROGRAMS, Door, Recipe, Way
from cccamd.setup.setup import Setup


class ProgramRecipe(NamedTuple):
    """What to do for one program, by the best way that is open to it."""

    program: str
    way: Way
    recipe: Recipe


def address_of(setup: Setup) -> str:
    """Where programs reach this machine: where the server listens, if it does not everywhere."""
    own, bound = own_address(), setup.toml.server.bind
    everywhere = any(parse_address(each).is_unspecified for each in bound)
    return own if everywhere or own in bound or not bound else bound[0]


def doors_of(setup: Setup, account: Account, host: str) -> Iterator[Door]:
    """The ways that are open to an account."""
    user, password = account.line.user, account.line.password
    if setup.config.server_listen_port:
        port = setup.config.server_listen_port
        yield Door(way=Way.CCCAM, host=host, port=port, user=user, password=password)
    for table in setup.toml.newcamd:
        if table.admits(user):
            yield Door(
                way=Way.NEWCAMD,
                host=host,
                port=table.port,
                user=user,
                password=password,
                key=table.key.hex(),
            )
            break
    dvbapi = setup.toml.dvbapi
    if dvbapi.enabled and dvbapi.account == user:
        where = "127.0.0.1" if dvbapi.is_for_this_machine else host
        socket = "" if dvbapi.port else dvbapi.socket or ""
        yield Door(way=Way.DVBAPI, host=where, port=dvbapi.port, socket=socket)


def recipes_of(setup: Setup, account: Account, host: str) -> list[ProgramRecipe]:
    """For each program that has an open way the best of them."""
    doors = {door.way: door for door in doors_of(setup, account, host)}
    found = []
    for program, ways in PROGRAMS.items():
        way = next((way for way in ways if way in doors), None)
        if way is not None:
            found.append(ProgramRecipe(program, way, ways[way](doors[way])))
    return found


def code_text(recipes: list[ProgramRecipe]) -> str:
    """What a QR code holds: the C-line; empty where the account has none."""
    found = (each.recipe.text for each in recipes if each.program == "cccam")
    return next(found, "")
