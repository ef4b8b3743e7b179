"""Nodes as people run them: `cccamd serve` from files, around an engine with TLS and a user."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fleetscene import rule
from house import House
from laboratory import HOST, TEST_CARD

from cccamd.fleet.keyfile import make_key
from certificates import self_signed
from redisengine import RedisServer, engine

ONE = "F: anna secret\n"


@asynccontextmanager
async def guarded_engine(folder: Path) -> AsyncIterator[RedisServer]:
    """Only by TLS, and only with the user that docs/fleet.md has; the fleet's files are there."""
    self_signed(folder)
    make_key(folder / "key")
    (folder / "password").write_text("A-LONG-PASSWORD\n")
    (folder / "password").chmod(0o600)
    lines = (
        "port 0\ntls-port PORT\ntls-auth-clients no\n"
        f"tls-cert-file {folder}/cert.pem\ntls-key-file {folder}/key.pem\n"
        f"user default off\n{rule()}"
    )
    async with engine(folder, lines) as server:
        yield server


def table(name: str, folder: Path, at: RedisServer) -> str:
    return (
        f'[fleet]\nhost = "localhost"\nport = {at.port}\ntls = true\nca = "{folder}/cert.pem"\n'
        f'user = "cccamd"\npassword_file = "{folder}/password"\nkey_file = "{folder}/key"\n'
        f'node = "{name}"\n'
    )


def a_house(name: str, folder: Path, at: RedisServer, card: str = TEST_CARD) -> House:
    own = folder / name
    own.mkdir()
    house = House(own)
    house.toml.write_text(f'[server]\nbind = ["{HOST}"]\n{card}{table(name, folder, at)}')
    return house


def fleet_of(house: House) -> dict[str, Any]:
    found: dict[str, Any] = house.api("status")["server"]["fleet"]
    return found


def states(house: House) -> dict[str, str]:
    """The other nodes, as one of them sees them."""
    fleet = fleet_of(house)
    return {each["name"]: each["state"] for each in (*fleet["nodes"], *fleet["absent"])}


def cards_of_others(house: House) -> int:
    return sum(node["cards"] for node in fleet_of(house)["nodes"])


def run(house: House, *words: str) -> str:
    """What a command says of the server."""
    command = [sys.executable, "-m", "cccamd", *words, "-C", str(house.cfg)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return " ".join((found.stdout + found.stderr).split())
