"""`cccamd serve`: run the server."""

import asyncio
import logging
import signal
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from cccamd import __version__
from cccamd.machine import own_address
from cccamd.net import ListenError, TaskSet
from cccamd.server import (
    RETRY_INTERVAL,
    AccountFocus,
    FileWatch,
    Server,
    raise_file_limit,
    set_up_logging,
    settle,
    wait_for_change,
)
from cccamd.setup.files import ConfigFileError
from cccamd.setup.nodeid import default_path, load_or_make
from cccamd.setup.setup import Example, Setup, load_again, load_setup
from cccamd.watch.journal import FILE_NAME as JOURNAL_NAME
from cccamd.watch.journal import Journal, JournalLimits

log = logging.getLogger("cccamd.server")

MESSAGES_LIMIT: Final = 100
"""Lines of the log for what is wrong with files; nobody reads more."""
READINGS_LIMIT: Final = 3
"""How often files are read at a time that somebody is writing."""
EXIT_UNUSABLE: Final = 2
"""The configuration cannot be read or used, or the port is taken."""


def serve(
    config: Annotated[
        Path | None,
        typer.Option(
            "-C",
            "--config",
            metavar="FILE",
            help="CCcam.cfg; one that does not exist counts as empty. Without it the first that"
            " exists of /var/etc/CCcam.cfg, /etc/CCcam.cfg, /etc/cccam/CCcam.cfg is read.",
        ),
    ] = None,
    toml: Annotated[
        Path | None,
        typer.Option(
            "-T",
            "--toml",
            metavar="FILE",
            help="cccamd.toml: local cards, allowed networks, limits. Without it the"
            " cccamd.toml beside CCcam.cfg is read if there is one.",
        ),
    ] = None,
    node_id: Annotated[
        Path | None,
        typer.Option(
            "-n", "--node-id", metavar="FILE", help="Where the node id of this server is kept."
        ),
    ] = None,
    debug: Annotated[
        bool,
        typer.Option(
            "-d",
            "--debug",
            help="Show logins, handshakes, versions, ECM requests and answers with their time.",
        ),
    ] = False,
) -> None:
    """Run the server until it is stopped (Ctrl-C, or the signal TERM).

    Without any configuration it starts with an example: one test card and one account, and
    prints the C-line to put into a receiver.
    """
    try:
        setup = load_setup(config, toml)
    except ConfigFileError as error:
        typer.echo(f"cccamd: {error}", err=True)
        raise typer.Exit(EXIT_UNUSABLE) from None
    focus = AccountFocus()
    _start_log(setup, focus, debug=debug)
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
        _show_example(setup.example)
    raise_file_limit()
    runner = Runner(
        config, toml, focus=focus, journal=node_id_path.with_name(JOURNAL_NAME), debug=debug
    )
    raise typer.Exit(asyncio.run(runner.run(replace(setup, node_id=own.node_id))))


def _start_log(setup: Setup, focus: AccountFocus, *, debug: bool) -> None:
    problems = _set_up_log(setup, focus, debug=debug)
    log.info("cccamd %s starts", __version__)
    for problem in problems:
        log.error("%s", problem)
    _log_messages(setup)


def _set_up_log(setup: Setup, focus: AccountFocus, *, debug: bool) -> list[str]:
    return set_up_logging(setup.config.settings, debug=debug, table=setup.toml.log, focus=focus)


def _log_messages(setup: Setup, *, above: int = logging.DEBUG) -> None:
    """Tell what there is to tell of the files; what is no news at a reload is left out."""
    told = [message for message in setup.messages if message.level > above]
    for message in told[:MESSAGES_LIMIT]:
        log.log(message.level, "%s", message)
    if len(told) > MESSAGES_LIMIT:
        log.warning("and %d more; cccamd check shows them all", len(told) - MESSAGES_LIMIT)


def _show_example(example: Example) -> None:
    """Print what a person needs to connect a receiver, apart from the log."""
    typer.echo(
        "\nAn example runs, with an account and a card to try it with.\n"
        "Put this line into the CCcam.cfg of a receiver in this network:\n\n"
        f"    C: {own_address()} {example.port} {example.user} {example.password}\n",
    )


class Runner:
    """One server from its start to its end, with reloads in between."""

    def __init__(
        self,
        config: Path | None,
        toml: Path | None,
        *,
        focus: AccountFocus,
        journal: Path,
        debug: bool,
    ) -> None:
        self._config = config
        self._toml = toml
        self._focus = focus
        self._journal_path = journal
        self._debug = debug
        self._reload_asked = asyncio.Event()
        self._tasks = TaskSet(on_failure=lambda name, error: log.error("%s: %s", name, error))

    async def run(self, setup: Setup) -> int:
        """Serve until a signal says stop; return the exit status."""
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_asked.set)
        journal = _journal(setup, self._journal_path)
        server = Server(setup, journal=journal)
        try:
            await server.start()
        except ListenError as error:
            log.error("%s", error)
            await server.stop()
            return EXIT_UNUSABLE
        self._tasks.start("reload", self._reload_for_ever(server, setup))
        await stopped.wait()
        log.info("stopping")
        await self._tasks.cancel()
        await server.stop()
        return 0

    async def _reload_for_ever(self, server: Server, setup: Setup) -> None:
        watch, at_most = FileWatch(setup.paths), None
        while True:
            await wait_for_change(watch, self._reload_asked, at_most=at_most)
            found = await self._reload(server, setup, watch)
            at_most = RETRY_INTERVAL if found is None else None
            setup = found or setup
            watch.follow(setup.paths)

    async def _reload(self, server: Server, before: Setup, watch: FileWatch) -> Setup | None:
        """Read the files again and go over to them; None: the old state was kept."""
        try:
            setup = await self._read(before, watch)
        except ConfigFileError as error:
            server.keep(str(error))
            return None
        if setup.doubtful:
            server.keep(setup.doubt)
            return None
        if setup.example is not None:
            return before  # another one would have another password
        _log_messages(setup, above=logging.INFO)
        for problem in _set_up_log(setup, self._focus, debug=self._debug):
            log.error("%s", problem)
        setup = replace(setup, node_id=before.node_id)
        await server.reload(setup)
        return setup

    async def _read(self, before: Setup, watch: FileWatch) -> Setup:
        """Read the files; once more if one of them was written meanwhile."""
        for _ in range(READINGS_LIMIT):
            # A thread, so that clients are served while a large file is read.
            setup = await asyncio.to_thread(load_again, before.sources)
            if not watch.changed():
                break
            await settle(watch)
        return setup


def _journal(setup: Setup, path: Path) -> Journal | None:
    table = setup.toml.journal
    if not table.enabled:
        return None
    limits = JournalLimits(days=table.days, megabytes=table.megabytes)
    return Journal(path, on_trouble=lambda text: log.warning("%s", text), limits=limits)
