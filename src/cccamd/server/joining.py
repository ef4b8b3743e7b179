"""A server becomes a node: what `[fleet]` of cccamd.toml says, made ready."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from cccamd.machine import machine_name
from cccamd.server.membership import Membership
from cccamd.setup.secretfile import secret_path
from cccamd.setup.setup import Setup

if TYPE_CHECKING:
    from cccamd.fleet.actions import Hearers

KEY_SETTING: Final = "[fleet] key_file"


def join(setup: Setup) -> Membership | None:
    """What it takes; None: this server is to be alone.

    Raises:
        ConfigFileError: there is no key, or what is there is none.
    """
    table = setup.toml.fleet
    if not table.is_wanted:
        return None
    from cccamd.fleet.actions import trials
    from cccamd.fleet.engine import Engine  # 2 MiB with what else makes a node
    from cccamd.fleet.keyfile import read_key
    from cccamd.fleet.values import Sealer

    file = setup.sources.toml
    folder = file.parent if file is not None else Path()
    assert table.key_file is not None
    sealer = Sealer(read_key(secret_path(table.key_file, folder)))

    node = table.node or machine_name()
    tried = trials(sealer.name("trial", node.encode()))

    def make_engine(hearers: "Hearers") -> Engine:
        return Engine(table, folder, hearers, tried)

    return Membership(
        node=node,
        seals=sealer,
        fingerprint_key=sealer.fingerprint_key,
        make_engine=make_engine,
    )
