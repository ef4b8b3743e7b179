"""What `doctor` looks at, one after the other; `cccamd.why` judges it. Nothing is changed."""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cccamd import PROGRAM
from cccamd.cli.trial import try_paired, try_server
from cccamd.cli.webreader import NoAnswer, address_of, read_cards, read_status
from cccamd.ids import NodeId
from cccamd.localcards import find_kinds
from cccamd.machine import (
    FirstPacket,
    Knock,
    Ruleset,
    SystemUser,
    TimeAnswer,
    ask_time,
    configured_servers,
    find_unit_user,
    holder_of,
    is_synchronised,
    knock,
    look_at_addresses,
    look_at_node_id,
    look_at_rules,
    look_at_supply,
    look_at_target,
    missing_addresses,
    try_to_bind,
    user_numbered,
    way_to,
)
from cccamd.net import TlsCall
from cccamd.server import target_of
from cccamd.setup.cccamcfg import (
    SEARCHED_PATHS,
    Config,
    ParseResult,
    load_companions,
    load_config,
    parse,
)
from cccamd.setup.files import ConfigFileError
from cccamd.setup.logins import Upstream, upstreams_of
from cccamd.setup.pairing import Pairing
from cccamd.setup.setup import companion_paths, load_setup
from cccamd.setup.toml import FILE_NAME, ParsedToml, load
from cccamd.watch.journal import FILE_NAME as JOURNAL_NAME
from cccamd.why import (
    Access,
    Case,
    Installation,
    PortSeen,
    RunningServer,
    Trial,
    WantedPort,
    Written,
    wanted_ports,
)
from cccamd.wire.cccam import NODE_ID_RANDOM_LENGTH, Identity, make_node_id
from cccamd.wire.newcamd import NewcamdTarget

TRIALS_AT_ONCE: Final = 8
"""Servers that are tried at the same time: more would disturb the round trips measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to look at."""

    config: Path | None
    """CCcam.cfg; None: the one that the server would find."""
    toml: Path | None
    """cccamd.toml; None: the one beside CCcam.cfg."""
    node_id: Path
    """The file with our node id."""
    ntp_servers: tuple[str, ...] = ()
    """Whom to ask for the time; empty: those that are set for this machine."""
    offline: bool = False
    """Send nothing to other machines."""


def look(wish: Wish) -> Case:
    """Look at everything; blocks for some seconds."""
    installation = read_installation(wish.config, wish.toml)
    node_id_file = look_at_node_id(wish.node_id)
    addresses, now = look_at_addresses(), time.time()
    ports = tuple(_look_at_ports(installation))
    process = next((seen.holder.process for seen in ports if seen.holder and seen.is_ours), None)
    running, why_not = _ask_server(installation, ports)
    port = installation.config.server_listen_port if installation.is_known else 0
    packet = FirstPacket(port=port, interface=addresses.interface, address=addresses.outward)
    listens = any(seen.holder and seen.wanted.port == port for seen in ports)
    user = (
        (user_numbered(process.uid), f"process {process.pid} runs as this user")
        if process is not None
        else _service_user()
    )
    return Case(
        installation=installation,
        accesses=tuple(_accesses(installation, *user)),
        written=tuple(_written(installation, wish.node_id, *user)),
        ports=ports,
        running=running,
        why_not=why_not,
        packet=packet if port else None,
        rules=look_at_rules() if port else Ruleset(),
        knock=knock(packet.address, port) if listens else Knock.NOT_TRIED,
        addresses=addresses,
        trials=()
        if wish.offline
        else tuple(_try_all(installation, ports, Pairing(wish.node_id.parent))),
        offline=wish.offline,
        node_id_file=node_id_file,
        own_node_id=node_id_file.node_id or _stranger(),
        time=TimeAnswer() if wish.offline else ask_time(wish.ntp_servers or configured_servers()),
        synchronised=is_synchronised(),
        supply=look_at_supply(process.pid if process else None),
        at=now,
        minute=_minute(now),
    )


def _minute(now: float) -> int:
    local = time.localtime(now)
    return 60 * local.tm_hour + local.tm_min


def _stranger() -> NodeId:
    """A node id of nobody, so that the doctor is never taken for a clone of the server."""
    return make_node_id(os.urandom(NODE_ID_RANDOM_LENGTH))


# Files.


def read_installation(path: Path | None, toml_path: Path | None) -> Installation:
    """Read CCcam.cfg and cccamd.toml; what cannot be read is told in the result."""
    named = path is not None
    kinds = find_kinds()
    unreadable, missing = "", False
    try:
        loaded = load_config(path, searched=SEARCHED_PATHS)
        path, missing, result = loaded.path, loaded.missing, loaded.result
    except ConfigFileError as error:
        path, unreadable, result = Path(error.name), error.reason, parse(b"")
    if path is None:
        return _example(toml_path, kinds.problems)
    beside = toml_path or path.parent / FILE_NAME
    toml = load(beside, kinds=kinds, required=toml_path is not None)
    return Installation(
        path=path,
        named=named,
        passed_over=() if named else _others(path),
        missing=missing,
        unreadable=unreadable,
        result=result,
        toml_path=beside,
        toml_named=toml_path is not None,
        toml_is_there=_is_there(beside),
        toml=toml,
        kind_problems=kinds.problems,
        companions=load_companions(result.config.settings),
    )


def _example(toml_path: Path | None, kind_problems: tuple[str, ...]) -> Installation:
    """What runs where there is no CCcam.cfg at all."""
    setup = load_setup(None, toml_path)
    toml = ParsedToml()
    if toml_path is not None:
        toml = load(toml_path, kinds=find_kinds(), required=True)
    return Installation(
        path=None,
        named=False,
        result=ParseResult(config=setup.config),
        toml_path=toml_path,
        toml_named=toml_path is not None,
        toml_is_there=toml_path is not None and _is_there(toml_path),
        toml=replace(toml, config=setup.toml),
        kind_problems=kind_problems,
    )


def _others(path: Path | None) -> tuple[Path, ...]:
    return tuple(other for other in SEARCHED_PATHS if other != path and _is_there(other))


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder on the way that we may not enter
        return False


def _service_user() -> tuple[SystemUser, str]:
    """The user that the unit file names, or else ours; and how we know."""
    found = find_unit_user()
    if found is not None:
        return found[0], f"{found[1]} says so"
    return user_numbered(os.geteuid()), "who runs doctor now"


def _accesses(installation: Installation, user: SystemUser, why: str) -> Iterator[Access]:
    own = [path for path in (installation.path, installation.toml_path) if path is not None]
    named = companion_paths(installation.config) if installation.is_known else ()
    for path in (*own, *named):
        try:
            way = way_to(path)
        except OSError:  # others tell that it is missing
            continue
        yield Access(path=path, way=way, user=user, why=why, is_companion=path not in own)


def _written(
    installation: Installation, node_id: Path, user: SystemUser, why: str
) -> Iterator[Written]:
    if not installation.is_known:
        return
    config, settings = installation.config, installation.config.settings
    wanted = [
        ("LOG FILE", settings.log_file),
        ("LOG WARNINGS", settings.log_warnings),
    ]
    logs = [(_in_line(config, key), Path(name)) for key, name in wanted if name is not None]
    state = [("the node id", node_id)]
    if installation.settings.journal.enabled:
        state.append(("the journal", node_id.with_name(JOURNAL_NAME)))
    for files, makes_folders in ((logs, False), (state, True)):
        for what, path in files:
            try:
                target = look_at_target(path)
            except OSError:  # a folder on the way that we may not enter
                continue
            yield Written(what=what, target=target, user=user, why=why, makes_folders=makes_folders)


def _in_line(config: Config, key: str) -> str:
    line = config.place(key).line
    return key if line is None else f"{key} in line {line}"


def _same_file(name: str, path: Path | None) -> bool:
    """Whether both are one file, by whatever names; a name that cannot be looked at is compared."""
    if path is None or not name:
        return path is None
    with suppress(OSError):
        return os.path.samefile(name, path)
    return os.path.realpath(name) == os.path.realpath(path)


# Ports and the running server.


def _look_at_ports(installation: Installation) -> Iterator[PortSeen]:
    if installation.is_known:
        wanted = wanted_ports(installation.config, installation.settings)
        yield from map(_look_at_port, wanted)


def _look_at_port(wanted: WantedPort) -> PortSeen:
    error = try_to_bind(wanted.port, wanted.addresses)
    holder = holder_of(wanted.port, wanted.addresses) if error is not None else None
    missing = missing_addresses(wanted.addresses)
    return PortSeen(wanted=wanted, holder=holder, bind_error=error, missing=missing)


def _ask_server(
    installation: Installation, ports: Sequence[PortSeen]
) -> tuple[RunningServer | None, str]:
    if not any(seen.is_ours for seen in ports):
        return None, ""
    try:
        address = address_of(
            installation.config.webinfo,
            bind=installation.settings.server.bind,
            source=str(installation.path),
        )
        status, cards = read_status(address), read_cards(address)
        other = not _same_file(status.server.config_path, installation.path)
        return RunningServer(status, cards, other_file=other), ""
    except NoAnswer as error:
        return None, str(error)


# Servers of C-lines.


def _try_all(
    installation: Installation, ports: Sequence[PortSeen], pairing: Pairing
) -> list[tuple[Upstream, Trial]]:
    """Go to all servers; log in only if our server does not run."""
    if not installation.is_known:
        return []
    upstreams = upstreams_of(installation.config, installation.settings)
    log_in = not any(seen.may_be_ours for seen in ports)
    return list(zip(upstreams, asyncio.run(_try(upstreams, pairing, log_in=log_in)), strict=True))


async def _try(upstreams: Sequence[Upstream], pairing: Pairing, *, log_in: bool) -> list[Trial]:
    """Some at a time."""
    identity = Identity(_stranger(), f"{PROGRAM} doctor")
    turn = asyncio.Semaphore(TRIALS_AT_ONCE)

    async def try_one(upstream: Upstream) -> Trial:
        async with turn:
            target = target_of(upstream)
            if not upstream.paired or isinstance(target, NewcamdTarget):
                return await try_server(target, identity=identity, log_in=log_in)
            tls, port = TlsCall(pairing, upstream.paired), upstream.tls_port or target.port
            return await try_paired(target, tls, port=port, identity=identity, log_in=log_in)

    return await asyncio.gather(*map(try_one, upstreams))
