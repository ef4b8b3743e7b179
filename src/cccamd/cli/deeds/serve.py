"""`cccamd serve`: run the server."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import typer

from cccamd import build
from cccamd.acting import socket_of
from cccamd.cli.deeds.backup import places_of, told_of
from cccamd.cli.ending import run_to_the_end, stop_at
from cccamd.errors import CccamdError
from cccamd.ids import NodeId
from cccamd.machine import keep_one_heap, own_address, raise_file_limit
from cccamd.net import ListenError, ServiceManager, TaskSet, loop_factory
from cccamd.server import (
    BANS_FILE_NAME,
    KEY_SETTING,
    AccountFocus,
    Clerk,
    ControlDoor,
    Desk,
    Membership,
    Reloader,
    Server,
    garbage,
    hands_of,
    join,
    logs_that_fail,
    set_up_logging,
)
from cccamd.setup.files import ConfigFileError
from cccamd.setup.nodeid import default_path, load_or_make, write_later
from cccamd.setup.pairing import Pairing
from cccamd.setup.restoring import finish
from cccamd.setup.setup import Example, Message, Setup, load_setup
from cccamd.signals import early_hang_up
from cccamd.watch.journal import FILE_NAME as JOURNAL_NAME
from cccamd.watch.journal import Journal, JournalLimits

log = logging.getLogger("cccamd.server")

MESSAGES_LIMIT: Final = 100
"""Lines of the log for what is wrong with files; nobody reads more."""
SWITCH_INTERVAL: Final = 0.001
"""Seconds after which a thread that works (pages, files, the journal) lets the loop have its turn;
each answer of ours asks for it several times."""
EXIT_UNUSABLE: Final = 2
LOG_RETRY_INTERVAL: Final = 30.0
"""Seconds after which logs that could not be opened are tried again."""
"""The configuration cannot be read or used, or the port is taken."""


def run(
    *,
    config: Path | None,
    toml: Path | None,
    node_id: Path | None,
    debug: bool,
    workers: int | None,
    as_data: bool,
) -> None:
    """Run the server until it is stopped (Ctrl-C, or the signal TERM)."""
    keep_one_heap()
    try:
        finished = finish(places_of(config, toml, node_id))
        setup = load_setup(config, toml)
    except (CccamdError, OSError) as error:
        typer.echo(f"cccamd: {error}", err=True)
        raise typer.Exit(EXIT_UNUSABLE) from None
    focus = AccountFocus()
    looks = LogLooks(debug=debug, as_data=as_data)
    log_troubles = _start_log(setup, focus, looks)
    if finished is not None:
        log.warning("%s", told_of(finished))
    if setup.refused:
        log.error("the configuration cannot be used; nothing was started")
        raise typer.Exit(EXIT_UNUSABLE)
    node_id_path = node_id or default_path()
    own = load_or_make(node_id_path)
    for level, note in own.notes:
        log.log(level, "%s", note)
    if own.trouble is not None:
        log.error("%s", own.trouble)
    if setup.example is not None:
        _show_example(setup.example, as_data=as_data)
    if os.geteuid() == 0:
        log.info(
            "runs as root, which it does not need: cccamd install makes it a service that does not"
        )
    raise_file_limit()
    sys.setswitchinterval(SWITCH_INTERVAL)
    runner = Runner(
        focus=focus,
        log_troubles=log_troubles,
        folder=node_id_path.parent,
        socket=socket_of(node_id_path, named=node_id is not None),
        looks=looks,
        workers=workers,
        unwritten=node_id_path if own.is_unwritten else None,
    )
    work = runner.run(replace(setup, node_id=own.node_id))
    raise typer.Exit(run_to_the_end(work, loop_factory() or asyncio.new_event_loop))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLooks:
    """What the command line says of the log, whatever the files say."""

    debug: bool
    as_data: bool


def _start_log(setup: Setup, focus: AccountFocus, looks: LogLooks) -> Mapping[str, str]:
    troubles = _set_up_log(setup, focus, looks)
    log.info("cccamd %s starts", build())
    for trouble in troubles.values():
        log.error("%s", trouble)
    _log_messages(setup.messages)
    return troubles


def _set_up_log(setup: Setup, focus: AccountFocus, looks: LogLooks) -> dict[str, str]:
    table = replace(setup.toml.log, format="json") if looks.as_data else setup.toml.log
    return set_up_logging(setup.config.settings, debug=looks.debug, table=table, focus=focus)


def _log_messages(messages: Iterable[Message]) -> None:
    """Tell what there is to tell of the files."""
    told = list(messages)
    for message in told[:MESSAGES_LIMIT]:
        log.log(message.level, "%s", message)
    if len(told) > MESSAGES_LIMIT:
        log.warning("and %d more; cccamd check shows them all", len(told) - MESSAGES_LIMIT)


def _show_example(example: Example, *, as_data: bool) -> None:
    """Print what a person needs to connect a receiver, apart from the log."""
    line = f"C: {own_address()} {example.port} {example.user} {example.password}"
    if as_data:
        typer.echo(json.dumps({"example": line}))
        return
    typer.echo(
        "\nAn example runs, with an account and a card to try it with.\n"
        f"Put this line into the CCcam.cfg of a receiver in this network:\n\n    {line}\n",
    )


class Runner:
    """One server from its start to its end, with reloads in between."""

    def __init__(
        self,
        *,
        focus: AccountFocus,
        log_troubles: Mapping[str, str],
        folder: Path,
        socket: Path,
        looks: LogLooks,
        workers: int | None = None,
        unwritten: Path | None = None,
    ) -> None:
        """`log_troubles`: why logs cannot be written, by the setting.

        `folder`: where the journal and the keys are, beside the node id.

        `socket`: where commands reach this server. `unwritten`: where the node id should be kept.
        """
        self._unwritten = unwritten
        self._focus = focus
        self._log_troubles = dict(log_troubles)
        self._folder = folder
        self._socket = socket
        self._looks = looks
        self._workers = workers
        self._messages: tuple[Message, ...] = ()
        """What is known of the files that are in use."""
        self._manager = ServiceManager()
        self._tasks = TaskSet(on_failure=lambda name, error: log.error("%s: %s", name, error))

    async def run(self, setup: Setup) -> int:
        """Serve until a signal says stop; return the exit status."""
        stopped, reload_asked = _signals()
        self._messages, self._setup = setup.messages, setup
        fleet, alone = self._join(setup)
        server = Server(
            setup,
            journal=_journal(setup, self._folder / JOURNAL_NAME),
            pairing=Pairing(self._folder),
            bans=self._folder / BANS_FILE_NAME,
            workers=self._workers,
            fleet=fleet,
        )
        server.carried_out(KEY_SETTING, alone)
        reloader = Reloader(
            server,
            setup,
            asked=reload_asked,
            prepare=lambda read: self._prepare(server, read),
        )
        for setting, trouble in self._log_troubles.items():
            server.carried_out(setting, trouble)
        garbage.begin()  # before anybody can wait for an answer
        try:
            await server.start()
        except ListenError as error:
            log.error("%s", error)
            await server.stop()
            return EXIT_UNUSABLE
        desk = Desk(server.acts, reload=reloader.reload_now, focus=self._focus)
        clerk = Clerk(
            acts=server.acts,
            setup=lambda: self._setup,
            reload=reloader.reload_now,
            tasks=self._tasks,
        )
        server.entrust(hands_of(desk, clerk))
        door = ControlDoor(desk)
        await door.open(self._socket)
        self._manager.ready()
        self._tasks.start("watchdog", self._manager.live())
        self._tasks.start("heartbeat", server.heartbeat.run())
        self._tasks.start("garbage", garbage.Sweeper(lambda: server.is_idle).run())
        self._tasks.start("reload", reloader.run())
        self._tasks.start("log files", self._keep_logging(server))
        self._tasks.start("files that could not be made", self._make_later(door, setup.node_id))
        await stopped.wait()
        log.info("stopping")
        self._manager.stopping()
        await door.close()
        await self._tasks.cancel()
        await server.stop()
        return 0

    @staticmethod
    def _join(setup: Setup) -> tuple[Membership | None, str]:
        """What makes it a node of a fleet; or why it is alone though it should be one."""
        try:
            return join(setup), ""
        except ConfigFileError as error:
            trouble = f"{error}; this server is alone until it is started again"
            log.error("[fleet] %s", trouble)
            return None, trouble

    def _prepare(self, server: Server, setup: Setup) -> None:
        """Tell what is news about the files, one that has gone as well, and log where they say."""
        known, self._messages = frozenset(self._messages), setup.messages
        _log_messages(
            message
            for message in setup.messages
            if message not in known and (message.level > logging.INFO or message.place is not None)
        )
        self._setup = setup
        self._log_anew(server)
        for trouble in self._log_troubles.values():
            log.error("%s", trouble)

    def _log_anew(self, server: Server) -> None:
        self._log_troubles = _set_up_log(self._setup, self._focus, self._looks)
        for setting in ("LOG FILE", "LOG WARNINGS"):
            server.carried_out(setting, self._log_troubles.get(setting, ""))

    async def _make_later(self, door: ControlDoor, node_id: NodeId) -> None:
        """Try again what a full disk, or one that came late, did not let be made at the start."""
        while True:
            await asyncio.sleep(LOG_RETRY_INTERVAL)
            await door.open(self._socket)
            if self._unwritten is not None:
                work = partial(write_later, self._unwritten, node_id)
                if told := await asyncio.to_thread(work):
                    log.warning("%s", told)
                    self._unwritten = None

    async def _keep_logging(self, server: Server) -> None:
        """Try again to open logs that could not be: disks are mended under way. Tell of those that
        are open and take no lines."""
        told: dict[str, str] = {}
        while True:
            await asyncio.sleep(LOG_RETRY_INTERVAL)
            before, told = told, logs_that_fail()
            for setting in before | told:
                trouble = self._log_troubles.get(setting) or told.get(setting, "")
                server.carried_out(setting, trouble)
            if self._log_troubles:
                self._log_anew(server)
                if not self._log_troubles:
                    log.info("all logs are written again")


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Handle signals from now on: those that stop, and the one that reads the files again."""
    stopped, reload_asked = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    stop_at((signal.SIGINT, signal.SIGTERM), stopped.set)
    loop.add_signal_handler(signal.SIGHUP, reload_asked.set)
    if early_hang_up.came:
        reload_asked.set()
    return stopped, reload_asked


def _journal(setup: Setup, path: Path) -> Journal | None:
    table = setup.toml.journal
    if not table.enabled:
        return None
    limits = JournalLimits(days=table.days, megabytes=table.megabytes)
    return Journal(path, on_trouble=lambda text: log.warning("%s", text), limits=limits)
