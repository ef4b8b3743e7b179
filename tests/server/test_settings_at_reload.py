"""Each setting of both files counts when `setup.effects` says: at once, or it says it waits."""

import asyncio
import grp
import logging
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from laboratory import HOST, connect

from cccamd.facts import ConfigProblemKind
from cccamd.ids import Caid, Ident, Sid
from cccamd.lab.ports import free_port
from cccamd.net import Client
from cccamd.server import AccountFocus, Reloader, Server, reload, set_up_logging
from cccamd.server.dvbapi import DvbapiDoor
from cccamd.setup.cccamcfg.directives import DIRECTIVES, Implemented
from cccamd.setup.effects import EFFECTS, Effect, settings_of
from cccamd.setup.hours import TimeFrame
from cccamd.setup.pairing import Pairing
from cccamd.setup.setup import Setup, load_setup
from cccamd.setup.toml import TomlConfig, networks
from cccamd.setup.toml.fields import Table, keys_of
from cccamd.setup.toml.mqtttable import THINGS
from cccamd.wire.cccam import ClientProtocol, Target

WEB, TELNET = free_port(), free_port()
PAGES = f"WEBINFO LISTEN PORT : {WEB}\n"
TELNET_INFO = f"TELNETINFO LISTEN PORT : {TELNET}\n"
UPSTREAM = "C: 127.0.0.1 1 me pass\n"


@dataclass(frozen=True)
class Row:
    """A setting, two values of it as they are written, and where a server shows them."""

    before: str
    after: str
    see: Callable[[Server], object]
    first: object
    then: object


def setting(name: str) -> Callable[[Server], object]:
    return lambda server: settings_of(server._setup)[name]


def account(server: Server) -> object:
    return server._context.accounts[b"anna"]


def upstream(server: Server) -> object:
    ((_, source),) = server._upstreams.sources()
    return source.upstream


def own_port(server: Server) -> object:
    return server._setup.config.server_listen_port in server.ports


def pages(server: Server) -> object:
    return server._pages._web is not None


def telnet(server: Server) -> object:
    return server._pages._telnet is not None


def log_paths(name: str) -> Callable[[Server], object]:
    logger = logging.getLogger(name)
    return lambda _: [
        Path(handler.baseFilename).name
        for handler in logger.handlers
        if isinstance(handler, logging.FileHandler)
    ]


def formatter(_: Server) -> object:
    return type(logging.getLogger("cccamd").handlers[0].formatter).__name__


GROUP = next(
    (one for one in grp.getgrall() if os.getuid() == 0 and one.gr_gid not in (0, os.getgid())),
    grp.getgrgid(os.getgid()),
)
"""Where root may do so, another than that of the process."""
FIRST_PORT, SECOND_PORT, FIRST_DVBAPI = free_port(), free_port(), free_port()


def dvbapi(line: str, see: Callable[[DvbapiDoor], object], first: object, then: object) -> Row:
    """A row of `[dvbapi]`, where a port or socket and an account are always needed."""
    common = {"port": f"port = {FIRST_DVBAPI}", "account": 'account = "anna"'}
    table = "F: ben other\n[dvbapi]\n"
    before = table + "\n".join(common.values())
    common[line.partition(" ")[0]] = line
    after = table + "\n".join(common.values())
    return Row(before, after, lambda server: see(server._dvbapi), first, then)


def unix_socket(door: DvbapiDoor) -> object:
    """The name, the mode and the group of the socket's file."""
    if door._socket_file is None:
        return None
    path, _ = door._socket_file
    return path.name, stat.S_IMODE(path.stat().st_mode), path.stat().st_gid


def dvbapi_socket(line: str, first: object, then: object) -> Row:
    """A row of what a UNIX socket is like."""
    row = dvbapi(line, unix_socket, first, then)
    socket = '\nsocket = "@dvbapi.sock"'
    return replace(row, before=row.before + socket, after=row.after + socket)


A_URL = "json://127.0.0.1:9"


def notify(line: str, rule: str, first: object, then: object) -> Row:
    """A row of the rules for messages."""

    def see(server: Server) -> object:
        return getattr(server._outward.notifier._outbox.rules, rule)

    return Row("", f"[notify]\n{line}", see, first, then)


def fleet(key: str, lines: str, first: object, then: object) -> Row:
    """A row of `[fleet]`, which counts after a restart."""
    return Row("", f'[fleet]\nkey_file = "none"\n{lines}', setting(f"[fleet] {key}"), first, then)


def mqtt(key: str, line: str, first: object, then: object, with_it: str = "") -> Row:
    """A row of `[mqtt]`; nothing listens there."""
    common = f'[mqtt]\nhost = "127.0.0.1"\n{with_it}'
    port = "" if key == "port" else f"port = {NO_BROKER}\n"
    return Row(
        f"{common}{port}",
        f"{common}{port}{line}",
        lambda server: getattr(server._outward.publisher.table, key),
        first,
        then,
    )


NO_BROKER = free_port()

ROWS: dict[str, Row] = {
    "SERVER LISTEN PORT": Row(
        f"SERVER LISTEN PORT : {FIRST_PORT}",
        f"SERVER LISTEN PORT : {SECOND_PORT}",
        lambda server: set(server.ports),
        {FIRST_PORT},
        {SECOND_PORT},
    ),
    "GLOBAL LISTEN PORT": Row(
        f"GLOBAL LISTEN PORT : {FIRST_PORT}",
        f"GLOBAL LISTEN PORT : {SECOND_PORT}",
        lambda server: set(server.ports),
        {FIRST_PORT},
        {SECOND_PORT},
    ),
    "MINIMUM CLIENT VERSION": Row(
        "MINIMUM CLIENT VERSION : 2.0.11",
        "MINIMUM CLIENT VERSION : 2.2.1",
        lambda server: tuple(server._context.minimum_client_version or ()),
        (2, 0, 11),
        (2, 2, 1),
    ),
    "GLOBAL LIMITS": Row(
        "",
        "GLOBAL LIMITS : { 0500:000000:1 }",
        lambda server: len(account(server).global_limits),  # type: ignore[attr-defined]
        0,
        1,
    ),
    "MINIMUM DOWNHOPS": Row(
        UPSTREAM,
        UPSTREAM + "MINIMUM DOWNHOPS : 1",
        lambda server: upstream(server).policy.minimum_downhops,  # type: ignore[attr-defined]
        0,
        1,
    ),
    "IGNORE NODE": Row(
        UPSTREAM,
        UPSTREAM + "IGNORE NODE : 380ceca0f39150d3",
        lambda server: len(upstream(server).policy.ignore_nodes),  # type: ignore[attr-defined]
        0,
        1,
    ),
    "ALLOW TELNETINFO": Row("", "ALLOW TELNETINFO : no", telnet, True, False),
    "TELNETINFO LISTEN PORT": Row(
        "",
        f"TELNETINFO LISTEN PORT : {SECOND_PORT}",
        lambda server: server._pages._telnet.ports[0],  # type: ignore[union-attr]
        TELNET,
        SECOND_PORT,
    ),
    "TELNETINFO USERNAME": Row(
        "",
        "TELNETINFO USERNAME : me\nTELNETINFO PASSWORD : x",
        lambda server: server._pages._dialogue(HOST)._login.username,
        None,
        "me",
    ),
    "TELNETINFO PASSWORD": Row(
        "TELNETINFO USERNAME : me\nTELNETINFO PASSWORD : x",
        "TELNETINFO USERNAME : me\nTELNETINFO PASSWORD : y",
        lambda server: server._pages._dialogue(HOST)._login.password,
        "x",
        "y",
    ),
    "ALLOW WEBINFO": Row("", "ALLOW WEBINFO : no", pages, True, False),
    "WEBINFO LISTEN PORT": Row(
        "",
        f"WEBINFO LISTEN PORT : {SECOND_PORT}",
        lambda server: server._pages._config.webinfo.port,
        WEB,
        SECOND_PORT,
    ),
    "WEBINFO USERNAME": Row(
        "",
        "WEBINFO USERNAME : me\nWEBINFO PASSWORD : x",
        lambda server: server._pages._config.webinfo.username,
        None,
        "me",
    ),
    "WEBINFO PASSWORD": Row(
        "WEBINFO USERNAME : me\nWEBINFO PASSWORD : x",
        "WEBINFO USERNAME : me\nWEBINFO PASSWORD : y",
        lambda server: server._pages._config.webinfo.password,
        "x",
        "y",
    ),
    "SHOW EXTENEDED CLIENT INFO": Row(
        "",
        "SHOW EXTENEDED CLIENT INFO : no",
        lambda server: server._pages._look().extended,
        True,
        False,
    ),
    "ALLOW EMM": Row(
        "",
        "ALLOW EMM : no",
        lambda server: account(server).emm_allowed,  # type: ignore[attr-defined]
        True,
        False,
    ),
    "DISABLE EMM": Row(
        "",
        "DISABLE EMM : yes",
        lambda server: account(server).emm_allowed,  # type: ignore[attr-defined]
        True,
        False,
    ),
    "GLOBAL EMM": Row(
        "GLOBAL EMM : 2",
        "GLOBAL EMM : 0",
        lambda server: server._context.emm_gate.global_emms,
        2,
        0,
    ),
    "EXTRA EMM LEVEL": Row("", "EXTRA EMM LEVEL : yes", setting("EXTRA EMM LEVEL"), False, True),
    "DEBUG": Row(
        "",
        "DEBUG : yes",
        lambda _: logging.getLogger("cccamd").level,
        logging.INFO,
        logging.DEBUG,
    ),
    "SHOW TIMING": Row(
        "", "SHOW TIMING : yes", lambda server: server._context.records.show_timing(), False, True
    ),
    "LOG WARNINGS": Row("", "LOG WARNINGS : @w.log", log_paths("cccamd.login"), [], ["w.log"]),
    "LOG FILE": Row("LOG FILE : @a", "LOG FILE : @b", log_paths("cccamd"), ["a"], ["b"]),
    "CAID PRIO FILE": Row(
        "CAID PRIO FILE : @none",
        "CAID PRIO FILE : @prio",
        lambda server: (
            len(server._setup.companions.prio.ignored) + (server._router.priorities is None)
        ),
        0,
        1,
    ),
    "PROVIDERINFO FILE": Row(
        "PROVIDERINFO FILE : @none",
        "PROVIDERINFO FILE : @providers",
        lambda server: server._pages._names.providers.name(Caid(0x500), Ident(0x42400)),
        None,
        "Somebody",
    ),
    "CHANNELINFO FILE": Row(
        "CHANNELINFO FILE : @none",
        "CHANNELINFO FILE : @channels",
        lambda server: server._pages._names.channels.name(Caid(0x500), Ident(0x42400), Sid(0x1D80)),
        None,
        "Arte",
    ),
    "[network] allow": Row(
        "",
        '[network]\nallow = ["203.0.113.0/24"]',
        lambda server: (
            server._context.admission._admits("203.0.113.9"),
            server._pages._sources.admits("203.0.113.9"),
        ),
        (False, False),
        (True, True),
    ),
    "[network] hosts": Row(
        "",
        '[network]\nhosts = ["tv.example"]',
        lambda server: server._pages._sources.hosts(),
        (),
        ("tv.example",),
    ),
    "[limits] login_timeout": Row(
        "[limits]\nlogin_timeout = 20",
        "[limits]\nlogin_timeout = 5",
        lambda server: round(server._front._make_protocol(0.0).next_deadline() or 0),
        20,
        5,
    ),
    "[limits] max_clients": Row(
        "[limits]\nmax_clients = 7",
        "[limits]\nmax_clients = 8",
        lambda server: server._context.admission.limits.connections,
        7,
        8,
    ),
    "[limits] logins_per_account": Row(
        "",
        "[limits]\nlogins_per_account = 3",
        lambda server: {account.logins for account in server._context.accounts.values()},
        {1},
        {3},
    ),
    "[limits] max_connections_per_address": Row(
        "",
        "[limits]\nmax_connections_per_address = 1",
        lambda server: server._context.admission.limits.per_address,
        None,
        1,
    ),
    "[limits] max_pending_logins": Row(
        "[limits]\nmax_pending_logins = 7",
        "[limits]\nmax_pending_logins = 8",
        lambda server: server._context.admission.limits.pending_logins,
        7,
        8,
    ),
    "[limits] max_pending_per_address": Row(
        "",
        "[limits]\nmax_pending_per_address = 8",
        lambda server: server._context.admission.limits.pending_per_source,
        32,
        8,
    ),
    "[limits] max_pending_per_network": Row(
        "",
        "[limits]\nmax_pending_per_network = 8",
        lambda server: server._context.admission.limits.pending_per_network,
        128,
        8,
    ),
    "[limits] ecm_deadline": Row(
        "", "[limits]\necm_deadline = 3", lambda server: server._router._course.deadline, 4.5, 3.0
    ),
    "[limits] answer_timeout": Row(
        UPSTREAM + "[limits]\nanswer_timeout = 20",
        UPSTREAM + "[limits]\nanswer_timeout = 9",
        lambda server: upstream(server).limits.answer_timeout,  # type: ignore[attr-defined]
        20.0,
        9.0,
    ),
    "[limits] queue_limit": Row(
        "[limits]\nqueue_limit = 7",
        "[limits]\nqueue_limit = 8",
        lambda server: server._context.limits.queue_limit,
        7,
        8,
    ),
    "[limits] upstream_cards_limit": Row(
        UPSTREAM,
        UPSTREAM + "[limits]\nupstream_cards_limit = 3",
        lambda server: upstream(server).policy.cards_limit,  # type: ignore[attr-defined]
        5000,
        3,
    ),
    "[limits] client_messages_per_second": Row(
        "",
        "[limits]\nclient_messages_per_second = 70",
        lambda server: server._context.fair.limits.client.messages,
        5000,
        70,
    ),
    "[limits] client_ecms_per_second": Row(
        "",
        "[limits]\nclient_ecms_per_second = 70",
        lambda server: server._context.fair.limits.client.ecms,
        2000,
        70,
    ),
    "[limits] client_kilobytes_per_second": Row(
        "",
        "[limits]\nclient_kilobytes_per_second = 70",
        lambda server: server._context.fair.limits.client.size,
        2000000,
        70000,
    ),
    "[limits] account_messages_per_second": Row(
        "",
        "[limits]\naccount_messages_per_second = 70",
        lambda server: server._context.fair.limits.account.messages,
        10000,
        70,
    ),
    "[limits] account_ecms_per_second": Row(
        "",
        "[limits]\naccount_ecms_per_second = 70",
        lambda server: server._context.fair.limits.account.ecms,
        4000,
        70,
    ),
    "[limits] account_kilobytes_per_second": Row(
        "",
        "[limits]\naccount_kilobytes_per_second = 70",
        lambda server: server._context.fair.limits.account.size,
        4000000,
        70000,
    ),
    "[limits] max_unread_kilobytes": Row(
        "",
        "[limits]\nmax_unread_kilobytes = 9",
        lambda server: server._context.fair.limits.unread,
        16_000,
        9000,
    ),
    "[limits] unread_timeout": Row(
        "",
        "[limits]\nunread_timeout = 9",
        lambda server: server._context.fair.limits.unread_timeout,
        5.0,
        9.0,
    ),
    "[server] cccversion": Row(
        "",
        '[server]\ncccversion = "2.0.11"',
        lambda server: str(server._front._version_for(b"anna")),
        "2.3.0",
        "2.0.11",
    ),
    "[server] bind": Row(
        '[server]\nbind = ["127.0.0.1"]',
        '[server]\nbind = ["127.0.0.2"]',
        lambda server: server._front.addresses[0],
        "127.0.0.1",
        "127.0.0.2",
    ),
    "[server] workers": Row("", "[server]\nworkers = 1", setting("[server] workers"), 0, 1),
    "[cache] seconds": Row(
        "", "[cache]\nseconds = 3", lambda server: server._cache._lifetime, 15.0, 3.0
    ),
    "[cache] entries": Row(
        "", "[cache]\nentries = 3", lambda server: server._cache._limit, 2000, 3
    ),
    "[cache] check_cw_checksums": Row(
        "",
        "[cache]\ncheck_cw_checksums = false",
        lambda server: server._router._verification.check_checksums,
        True,
        False,
    ),
    "[routing] hedge": Row(
        "",
        "[routing]\nhedge = false",
        lambda server: server._router._budget._share > 0,
        True,
        False,
    ),
    "[penalties] attempts": Row(
        "", "[penalties]\nattempts = 3", lambda server: server._penalties.rules.attempts, 10, 3
    ),
    "[penalties] ban": Row(
        "", "[penalties]\nban = 60", lambda server: server._penalties.rules.ban, 600.0, 60.0
    ),
    "[penalties] exempt": Row(
        "",
        '[penalties]\nexempt = ["203.0.113.0/24"]',
        lambda server: server._keeper.is_spared("203.0.113.7"),
        False,
        True,
    ),
    "[log] format": Row("", '[log]\nformat = "json"', formatter, "TextFormatter", "JsonFormatter"),
    "[log] debug_accounts": Row(
        "",
        '[log]\ndebug_accounts = ["anna"]',
        lambda _: logging.getLogger("cccamd").level,
        logging.INFO,
        logging.DEBUG,
    ),
    "[journal] enabled": Row(
        "[journal]\nenabled = true",
        "[journal]\nenabled = false",
        setting("[journal] enabled"),
        True,
        False,
    ),
    "[journal] days": Row("", "[journal]\ndays = 7", setting("[journal] days"), 90, 7),
    "[journal] megabytes": Row(
        "", "[journal]\nmegabytes = 7", setting("[journal] megabytes"), 64, 7
    ),
    "[fleet] host": fleet("host", 'host = "127.0.0.1"', None, "127.0.0.1"),
    "[fleet] socket": fleet("socket", 'socket = "s"', None, "s"),
    "[fleet] key_file": fleet("key_file", 'host = "127.0.0.1"', None, "none"),
    "[fleet] port": fleet("port", 'host = "127.0.0.1"\nport = 7', 6379, 7),
    "[fleet] tls": fleet("tls", 'host = "127.0.0.1"\ntls = true', False, True),
    "[fleet] ca": fleet("ca", 'host = "127.0.0.1"\ntls = true\nca = "c"', None, "c"),
    "[fleet] user": fleet("user", 'host = "127.0.0.1"\nuser = "u"', None, "u"),
    "[fleet] password": fleet(
        "password", 'host = "127.0.0.1"\nuser = "u"\npassword = "p"', None, "p"
    ),
    "[fleet] password_file": fleet(
        "password_file", 'host = "127.0.0.1"\nuser = "u"\npassword_file = "p"', None, "p"
    ),
    "[fleet] node": fleet("node", 'host = "127.0.0.1"\nnode = "attic"', None, "attic"),
    "[fleet] networks": fleet(
        "networks",
        'host = "127.0.0.1"\nnetworks = ["203.0.113.7"]',
        (),
        (ip_network("203.0.113.7"),),
    ),
    "[tls] port": Row(
        "",
        f"[tls]\nport = {SECOND_PORT}",
        lambda server: set(server._paired.ports),
        set(),
        {SECOND_PORT},
    ),
    "[notify] urls": Row(
        "",
        f'[notify]\nurls = ["{A_URL}"]',
        lambda server: server._outward.notifier._urls,
        (),
        (A_URL,),
    ),
    "[notify] after": notify("after = 7", "after", 60.0, 7.0),
    "[notify] quiet": notify('quiet = "22:00-07:00"', "quiet", None, TimeFrame(1320, 420)),
    "[notify] over": notify("over = false", "over", True, False),
    "[mqtt] host": Row(
        "",
        f'[mqtt]\nhost = "127.0.0.1"\nport = {NO_BROKER}',
        lambda server: server._outward.publisher.table.host,
        None,
        "127.0.0.1",
    ),
    "[mqtt] port": mqtt("port", f"port = {NO_BROKER}", None, NO_BROKER),
    "[mqtt] tls": mqtt("tls", "tls = true", False, True),
    "[mqtt] ca": mqtt("ca", 'ca = "none.pem"', None, "none.pem", "tls = true\n"),
    "[mqtt] user": mqtt("user", 'user = "tv"', None, "tv"),
    "[mqtt] password": mqtt("password", 'password = "x"', None, "x", 'user = "tv"\n'),
    "[mqtt] password_file": mqtt(
        "password_file", 'password_file = "none"', None, "none", 'user = "tv"\n'
    ),
    "[mqtt] prefix": mqtt("prefix", 'prefix = "a/b"', "cccamd", "a/b"),
    "[mqtt] discovery": mqtt("discovery", 'discovery = ""', "homeassistant", ""),
    "[mqtt] name": mqtt("name", 'name = "attic"', None, "attic"),
    "[mqtt] interval": mqtt("interval", "interval = 60", 10.0, 60.0),
    "[mqtt] things": mqtt("things", 'things = ["server"]', THINGS, ("server",)),
    "[mqtt] networks": mqtt(
        "networks", 'networks = ["203.0.113.7"]', (), (ip_network("203.0.113.7"),)
    ),
    "[dvbapi] port": dvbapi(
        f"port = {SECOND_PORT}", lambda door: set(door.ports), {FIRST_DVBAPI}, {SECOND_PORT}
    ),
    "[dvbapi] listen": dvbapi(
        'listen = ["127.0.0.2"]', lambda door: door._port.addresses[0], HOST, "127.0.0.2"
    ),
    "[dvbapi] networks": dvbapi(
        'networks = ["203.0.113.9"]',
        lambda door: door._admission.refusal("203.0.113.9") is None,
        False,
        True,
    ),
    "[dvbapi] socket": dvbapi(
        'socket = "@dvbapi.sock"', unix_socket, None, ("dvbapi.sock", 0o660, os.getgid())
    ),
    "[dvbapi] socket_mode": dvbapi_socket(
        'socket_mode = "0600"',
        ("dvbapi.sock", 0o660, os.getgid()),
        ("dvbapi.sock", 0o600, os.getgid()),
    ),
    "[dvbapi] socket_group": dvbapi_socket(
        f'socket_group = "{GROUP.gr_name}"',
        ("dvbapi.sock", 0o660, os.getgid()),
        ("dvbapi.sock", 0o660, GROUP.gr_gid),
    ),
    "[dvbapi] account": dvbapi(
        'account = "ben"', lambda door: door._home and door._home.account.user, b"anna", b"ben"
    ),
    "[dvbapi] au": dvbapi(
        "au = true", lambda door: door._home and door._home.outlook._takes_emms, False, True
    ),
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is still writing these files."""
    monkeypatch.setattr(reload, "SETTLE_INTERVAL", 0.001)


def write(folder: Path, text: str, *, pages: bool = False) -> None:
    """Write both files; what begins with a table is of cccamd.toml."""
    cfg, bracket, toml = text.replace("@", f"{folder}/").partition("[")
    if "LISTEN PORT" not in cfg.replace("INFO LISTEN PORT", ""):
        cfg += f"\nSERVER LISTEN PORT : {FIRST_PORT}\n"
    if "WEBINFO LISTEN PORT" not in cfg:
        cfg += f"\n{PAGES if pages else 'ALLOW WEBINFO : no'}\n"
    if "TELNETINFO LISTEN PORT" not in cfg:
        cfg += f"\n{TELNET_INFO}\n"
    (folder / "CCcam.cfg").write_text(f"F: anna secret\n{cfg}\n")
    (folder / "cccamd.toml").write_text(bracket + toml)


@dataclass
class Running:
    server: Server
    reloader: Reloader


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    """A server and its reloads, as `cccamd serve` has them."""
    focus = AccountFocus()

    def prepare(setup: Setup) -> None:
        set_up_logging(setup.config.settings, debug=False, table=setup.toml.log, focus=focus)

    setup = load_setup(folder / "CCcam.cfg", None)
    prepare(setup)
    server = Server(setup, pairing=Pairing(folder))
    await server.start()
    try:
        yield Running(server, Reloader(server, setup, asked=asyncio.Event(), prepare=prepare))
    finally:
        await server.stop()


def declared() -> set[str]:
    """All settings that the readers of both files know."""
    keys = {one.name for one in DIRECTIVES if isinstance(one, Implemented)}
    for name, table in tables():
        keys |= {f"[{name}] {key}" for key in keys_of(type(table))}
    return keys


def tables() -> Iterator[tuple[str, Table]]:
    toml = TomlConfig()
    for name in TomlConfig.__slots__:
        value = getattr(toml, name)
        if isinstance(value, Table):
            yield name, value


def test_every_setting_has_an_effect_and_a_row_here() -> None:
    assert set(EFFECTS) == declared()
    assert set(ROWS) == declared()
    assert set(settings_of(Setup(config=load_setup(None, None).config))) == declared() - {
        "GLOBAL LISTEN PORT"  # another name for the same value
    }


@pytest.mark.parametrize("name", ROWS)
async def test_a_changed_setting_counts_or_waits(tmp_path: Path, name: str) -> None:
    (tmp_path / "prio").write_text("I: 0500\n")
    (tmp_path / "providers").write_text('05042400 "Somebody"\n')
    (tmp_path / "channels").write_text('0500:042400:1D80 "Arte"\n')
    row = ROWS[name]
    pages = "WEBINFO" in name
    write(tmp_path, row.before, pages=pages)
    async with running(tmp_path) as run:
        assert row.see(run.server) == row.first
        write(tmp_path, row.after, pages=pages)
        assert await run.reloader.reload()
        state = run.server.snapshot().config
        waits = [one.text for one in state.problems if one.kind is ConfigProblemKind.WAITS]
        assert state.taken
        assert row.see(run.server) == row.then
        if EFFECTS[name] is Effect.RESTART:
            assert any(text.startswith(name) for text in waits)
        else:
            assert not waits
        changed = name.replace("GLOBAL LISTEN", "SERVER LISTEN")
        assert any(changed in change for change in state.changes)


async def test_a_network_that_is_taken_out_ends_its_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(networks, "LOCAL_NETWORKS", ())
    networks.is_local.cache_clear()
    request.addfinalizer(networks.is_local.cache_clear)
    write(tmp_path, '[network]\nallow = ["127.0.0.0/8"]', pages=True)
    async with running(tmp_path) as run:
        client = await log_in()
        reader, live = await asyncio.open_connection(HOST, WEB)
        live.write(b"GET /live/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in await reader.readline()
        telnet_reader, telnet = await asyncio.open_connection(HOST, TELNET)
        silent_reader, silent = await asyncio.open_connection(HOST, FIRST_PORT)
        write(tmp_path, '[network]\nallow = ["203.0.113.9"]', pages=True)
        assert await run.reloader.reload()
        async with asyncio.timeout(10.0):
            for one in (reader, telnet_reader, silent_reader):
                await ended(one)
            while run.server.snapshot().clients:
                await asyncio.sleep(0.01)
        await client.close()
        for writer in (live, telnet, silent):
            writer.close()
        again, writer = await asyncio.open_connection(HOST, WEB)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert await ended(again) == b""
        writer.close()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """The last bytes."""
    with suppress(ConnectionResetError):
        return await reader.read()
    return b""


async def log_in() -> Client[ClientProtocol]:
    target = Target(host=HOST, port=FIRST_PORT, user=b"anna", password=b"secret")
    return await connect(target)
