"""A server becomes a node: what `[fleet]` of cccamd.toml says, made ready."""

import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cccamd.fleet.actions import EngineEvent
from cccamd.fleet.engine import Around, Engine
from cccamd.fleet.keyfile import read_key
from cccamd.fleet.values import Sealer
from cccamd.server.fleetdesk import Membership
from cccamd.setup.secretfile import secret_path
from cccamd.setup.setup import Setup

KEY_SETTING: Final = "[fleet] key_file"
_NO_NAME: Final = re.compile("[^A-Za-z0-9_.-]")
_NAME_LENGTH: Final = 50


def join(
    setup: Setup,
    carried_out: Callable[[str, str], None],
    on_failure: Callable[[str, BaseException], None],
) -> Membership | None:
    """What it takes; None: this server is to be alone.

    `carried_out` is told whether the engine is there, and why not; `on_failure` of our errors.

    Raises:
        ConfigFileError: there is no key, or what is there is none.
    """
    table = setup.toml.fleet
    if not table.is_wanted:
        return None
    file = setup.sources.toml
    folder = file.parent if file is not None else Path()
    assert table.key_file is not None
    sealer = Sealer(read_key(secret_path(table.key_file, folder)))

    def make_engine(on_event: Callable[[EngineEvent], None]) -> Engine:
        around = Around(
            on_event=on_event,
            carried_out=carried_out,
            on_failure=on_failure,
            trial=sealer.name("trial"),
        )
        return Engine(table, folder, around)

    return Membership(
        node=table.node or own_name(),
        seals=sealer,
        fingerprint_key=sealer.fingerprint_key,
        make_engine=make_engine,
    )


def own_name() -> str:
    """What this machine is called, as a node."""
    return _NO_NAME.sub("-", platform.node())[:_NAME_LENGTH] or "node"
