"""The web pages and the telnet information of a running server: sockets, logins, reload."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from cccamd.facts import Freeze, FreezeReport, Incident, Snapshot
from cccamd.net import AcceptEvent, ListenError, TaskSet, in_slices, open_sockets
from cccamd.oldinfo import InfoListener, Look, TelnetDialogue, old_page_routes, telnet_refusal
from cccamd.server.gate import LoginGate
from cccamd.server.logs import ROOT, LastLines
from cccamd.server.snapshot import (
    find_channels,
    named,
    named_answers,
    named_notes,
    named_report,
    take_history,
)
from cccamd.server.taken import with_holder
from cccamd.server.watching import Watchers
from cccamd.setup.cccamcfg import Companions, Config, InfoPort
from cccamd.setup.toml import AllowedNetworks, TomlConfig
from cccamd.web import Hands, WebContext, WebDoor
from cccamd.why import Diagnosis, Explanation, Question

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from cccamd.oldinfo.oscam import ApiLook

log = logging.getLogger("cccamd.web")

STOP_TIMEOUT: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSources:
    """What the pages show and ask."""

    snapshot: Callable[[], Snapshot]
    look: Callable[[], Awaitable[Snapshot]]
    check_up: Callable[[], Awaitable[Sequence[Diagnosis]]]
    explain: Callable[[Question], Awaitable[Explanation]]
    watchers: Watchers
    incidents: Callable[[], tuple[Incident, ...]]
    admits: Callable[[str], bool]
    hosts: Callable[[], Sequence[str]]
    web_gate: LoginGate
    telnet_gate: LoginGate
    program: str
    on_failure: Callable[[str, BaseException], None]
    hands: Callable[[], Hands | None]
    """What the pages may do; None: they are to be looked at only."""
    on_accepting: Callable[[AcceptEvent], None]
    """Told when a port has to pause with accepting, and when it goes on."""


class InfoPages:
    """Both services; a port that is taken costs that service and not the server."""

    def __init__(self, sources: PageSources, *, tasks: TaskSet) -> None:
        self._sources = sources
        self._tasks = tasks
        self._config = Config()
        self._names = Companions()
        self._toml = TomlConfig()
        self._web_door: tuple[object, ...] | None = None
        self._telnet_door: tuple[object, ...] | None = None
        self._web_trouble = self._telnet_trouble = ""
        """Why there is none although it is wanted; empty: there is, or it is not wanted."""
        self._web: WebDoor | None = None
        self._web_task: asyncio.Task[None] | None = None
        self._telnet: InfoListener | None = None
        self._last_lines = LastLines()

    async def apply(self, config: Config, names: Companions, toml: TomlConfig) -> Mapping[str, str]:
        """Open the ports that are wanted now, close those that are not, leave others alone.

        Where another login or other networks are allowed, all connections end with the port:
        a live view that somebody has open must not outlast the right to look.

        Returns what the system had against each, by the setting; nothing when all is well.
        """
        self._config, self._names, self._toml = config, names, toml
        addresses, allowed = toml.server.bind, toml.network.allowed
        web_door = _door(config.webinfo, addresses, allowed)
        telnet_door = _door(config.telnetinfo, addresses, allowed)
        if web_door != self._web_door:
            await self._close_web()
            self._web_trouble = ""
            if web_door is not None:
                self._web_trouble = await self._open_web(addresses, config.webinfo.port)
            # What could not be had is tried again next time.
            self._web_door = None if self._web_trouble else web_door
        if telnet_door != self._telnet_door:
            await self._close_telnet()
            self._telnet_trouble = ""
            if telnet_door is not None:
                self._telnet_trouble = await self._open_telnet(addresses, config.telnetinfo.port)
            self._telnet_door = None if self._telnet_trouble else telnet_door
        return {
            "WEBINFO LISTEN PORT": self._web_trouble,
            "TELNETINFO LISTEN PORT": self._telnet_trouble,
        }

    async def _tell(self, what: str, error: ListenError) -> str:
        trouble = f"{what}: {await with_holder(error, self._config, self._toml)}"
        log.error("%s", trouble)
        return trouble

    def make_room(self) -> bool:
        """When the system has nothing left, one connection gives way; say whether there was one."""
        return any(one is not None and one.make_room() for one in (self._web, self._telnet))

    async def close(self) -> None:
        """End both."""
        await self._close_web()
        await self._close_telnet()

    # The web pages.

    async def _open_web(self, addresses: Sequence[str], port: int) -> str:
        try:
            sockets = open_sockets(addresses, port)
        except ListenError as error:
            return await self._tell("no web pages", error)
        self._web = WebDoor(
            self._context(),
            sockets,
            routes=self._routes,
            on_failure=self._sources.on_failure,
            on_event=self._sources.on_accepting,
        )
        logging.getLogger(ROOT).addHandler(self._last_lines)
        self._web_task = self._tasks.start("web pages", self._web.run())
        log.info("web pages on port %d", port)
        return ""

    def _routes(self) -> "Sequence[BaseRoute]":
        """Those of pages for old tools; called once there is a visitor, in a thread."""
        from cccamd.oldinfo.oscam import oscam_routes  # 1.5 MiB

        old = old_page_routes(snapshot=self._sources.look, look=self._look)
        return *old, *oscam_routes(look=self._api_look)

    def _context(self) -> WebContext:
        sources, watchers = self._sources, self._sources.watchers
        return WebContext(
            snapshot=sources.look,
            history=lambda span: take_history(watchers.history, span, self._names.channels),
            happenings=lambda: named_notes(watchers.notes.recent(), self._names.channels),
            explain=sources.explain,
            incidents=sources.incidents,
            freezes=self._freezes,
            freeze=self._freeze,
            check_up=sources.check_up,
            journal=lambda: watchers.journal_path,
            metrics=watchers.metrics,
            channel_name=lambda caid, ident, sid: self._names.channels.name(caid, ident, sid),
            find_channels=lambda words, most: find_channels(self._names.channels, words, most),
            provider_name=lambda caid, ident: self._names.providers.name(caid, ident),
            login=lambda: self._config.webinfo,
            admits=sources.admits,
            hosts=sources.hosts,
            check_login=sources.web_gate.check,
            program=sources.program,
            hands=sources.hands,
            on_failure=sources.on_failure,
        )

    async def _freezes(self) -> FreezeReport:
        report = await in_slices(self._sources.watchers.reporting())
        return await in_slices(named_report(report, self._names.channels))

    async def _freeze(self, number: int) -> Freeze | None:
        found = await self._sources.watchers.freeze(number)
        return None if found is None else named(found, self._names.channels)

    async def _api_look(self) -> "ApiLook":
        from cccamd.oldinfo.oscam import ApiLook  # whoever calls this is of it

        answers = await in_slices(self._sources.watchers.answers.reporting())
        return ApiLook(
            snapshot=await self._sources.look(),
            answers=await in_slices(named_answers(answers, self._names.channels)),
            provider_name=self._names.providers.name,
            log=self._last_lines.lines(),
        )

    async def _close_web(self) -> None:
        if self._web is None or self._web_task is None:
            return
        logging.getLogger(ROOT).removeHandler(self._last_lines)
        self._web.stop()
        done, _ = await asyncio.wait([self._web_task], timeout=STOP_TIMEOUT)
        if not done:
            self._web_task.cancel()
        self._web = self._web_task = None

    # The telnet information.

    async def _open_telnet(self, addresses: Sequence[str], port: int) -> str:
        listener = InfoListener(
            make_dialogue=self._dialogue,
            admits=self._sources.admits,
            on_failure=self._sources.on_failure,
            on_event=self._sources.on_accepting,
        )
        try:
            await listener.open(addresses, port)
        except ListenError as error:
            return await self._tell("no telnet information", error)
        self._telnet = listener
        log.info("telnet information on port %d", port)
        return ""

    def _dialogue(self, address: str) -> TelnetDialogue:
        login = self._config.telnetinfo
        return TelnetDialogue(
            snapshot=self._sources.look,
            look=self._look,
            login=login,
            refusal=telnet_refusal(address, login),
            check_login=partial(self._sources.telnet_gate.check, address),
        )

    async def _close_telnet(self) -> None:
        if self._telnet is not None:
            await self._telnet.close()
            self._telnet = None

    def _look(self) -> Look:
        settings = self._config.settings
        return Look(
            extended=settings.show_extended_client_info,
            timing=settings.show_timing,
            provider_name=self._names.providers.name,
        )


def _door(
    info: InfoPort, addresses: Sequence[str], allowed: AllowedNetworks
) -> tuple[object, ...] | None:
    return (tuple(addresses), info, allowed) if info.listens else None
