"""The door for dvbapi clients: a TCP port, a UNIX socket, and who may come in.

Nobody logs in, so all is decided before the first byte is read: by the address a connection
comes from, or by the rights of the socket's file. Source: docs/dvbapi-protocol.md section 16.
"""

import asyncio
import importlib
import logging
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cccamd.cards import Card, View, Viewer
from cccamd.ids import Caid
from cccamd.localcards import EmmMatch
from cccamd.net import (
    Admission,
    AdmissionLimits,
    FairLimits,
    FairPlay,
    Guest,
    Listener,
    ListenError,
    NoEntry,
    Rates,
    in_slices,
    open_sockets,
    open_unix_socket,
    remove_unix_socket,
)
from cccamd.server.sessioncontext import SessionContext
from cccamd.setup.logins import Account
from cccamd.setup.setup import Setup
from cccamd.setup.toml import DvbapiTable
from cccamd.values import Request
from cccamd.wire.link import CloseReason

if TYPE_CHECKING:
    from cccamd.server.dvbapi.outlook import Outlook
    from cccamd.server.dvbapi.service import SelectedService
    from cccamd.server.dvbapi.session import DvbapiHome, DvbapiSession

log = logging.getLogger("cccamd.server")

CONNECTIONS_LIMIT: Final = 16
MESSAGES: Final = 10_000
"""Messages a second of one connection: VDR sends each repetition of an ECM."""
SIZE: Final = 4_000_000
"""Bytes a second."""
UNREAD_LIMIT: Final = 64 * 1024
"""Bytes that a client may leave unread (docs/dvbapi-protocol.md section 16)."""
UNREAD_TIMEOUT: Final = 5.0
PORT_SETTING: Final = "[dvbapi] port"
SOCKET_SETTING: Final = "[dvbapi] socket"
ACCOUNT_SETTING: Final = "[dvbapi] account"
_INSIDE: Final = "cccamd.server.dvbapi.session"
PROTOCOL: Final = "dvbapi"
"""As `protocols` of an account names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DvbapiSurroundings:
    """What the door needs of its server."""

    context: SessionContext
    may_come: Callable[[Caid], bool]
    """Whether a source that is not there now may bring a card of this CAID."""
    is_constant: Callable[[View, Request], bool]
    """Whether all cards that may serve this give the same CW for whatever ECM."""
    emm_matches: Callable[[Card], tuple[EmmMatch, ...]]
    """Which EMMs may be for a card; empty: any."""
    is_banned: Callable[[str], bool]
    on_refused: Callable[[str, NoEntry], None]
    carried_out: Callable[[str, str], None]
    """Takes a setting, and what was in the way of it; empty: nothing was."""


class DvbapiDoor:
    """Opens and closes as the files say, and knows who is inside."""

    def __init__(self, around: DvbapiSurroundings) -> None:
        self._around = around
        self._table = DvbapiTable()
        self._home: DvbapiHome | None = None
        self._admission: Admission[Guest] = Admission(
            AdmissionLimits(connections=CONNECTIONS_LIMIT, pending_logins=CONNECTIONS_LIMIT),
            admits=lambda address: not address or self._table.admits(address),
            is_banned=lambda address: bool(address) and around.is_banned(address),
        )
        self._fair = FairPlay(
            FairLimits(
                client=Rates(MESSAGES, float("inf"), SIZE),
                unread=UNREAD_LIMIT,
                unread_timeout=UNREAD_TIMEOUT,
            )
        )
        self._sessions: dict[Guest, DvbapiSession] = {}
        self._port = self._make_listener()
        self._socket = self._make_listener()
        self._port_at: tuple[object, ...] | None = None
        self._socket_at: tuple[object, ...] | None = None
        self._socket_file: tuple[Path, int] | None = None
        """The socket's path, and its inode."""

    @property
    def ports(self) -> list[int]:
        """The TCP ports that are open."""
        return self._port.ports

    @property
    def sessions(self) -> "tuple[DvbapiSession, ...]":
        """Who is connected."""
        return tuple(self._sessions.values())

    def services(self) -> "Iterator[SelectedService]":
        """All services that are wanted clear."""
        return (each for session in self.sessions for each in session.services)

    def service(self, number: int) -> "SelectedService | None":
        """The service whose record has this number."""
        return self._home.selected.get(number) if self._home is not None else None

    def refreshing(self) -> Generator[None, None, None]:
        """Look at all services anew, after the cards have changed; errors end one client."""
        for session in self.sessions:
            try:
                yield from session.refreshing()
            except Exception as error:
                session.connection.fail(error)
            yield

    async def apply(self, setup: Setup) -> None:
        """Open, move or close what the files say; who may go on goes on."""
        before, self._table = self._table, setup.toml.dvbapi
        account = self._account_of(setup)
        if account is None:
            await self.close(CloseReason.CONFIG_CHANGED)
            return
        if not await self._is_loaded():
            return
        await self._settle(account)
        if before.networks != self._table.networks:
            await self._port.dismiss_unwelcome(CloseReason.NETWORK_CHANGED)
        before_it = self._port_at, self._socket_at
        await self._apply_port()
        await self._apply_socket()
        now_open = self._port_at, self._socket_at
        if now_open != before_it and any(now_open):
            log.info("dvbapi clients may come: %s", ", ".join(self._table.doors))

    async def close(self, reason: CloseReason) -> None:
        """Close the door, and end all connections."""
        await self.shut()
        self._port.dismiss(reason)

    async def shut(self) -> None:
        """Close the door; who is inside stays."""
        await self._port.close()
        await self._close_socket()
        self._port_at = None

    def _account_of(self, setup: Setup) -> Account | None:
        table = self._table
        wanted = table.account if table.enabled else None
        found = None if wanted is None else setup.account(wanted)
        trouble = ""
        if table.enabled and found is None:
            trouble = f'no dvbapi: no F-line has the user "{table.account}"'
            log.error("%s", trouble)
        self._around.carried_out(ACCOUNT_SETTING, trouble)
        if found is not None and (closed := _closed_to(found)):
            log.warning("no dvbapi: %s", closed)
            return None
        return found

    async def _is_loaded(self) -> bool:
        """Load what runs for a client, 2.7 MiB that a server without such clients does not need."""
        try:
            await asyncio.to_thread(importlib.import_module, _INSIDE)
        except (ImportError, OSError) as error:  # no file may be opened any more
            trouble = f"no dvbapi: its part of the program cannot be loaded: {error}"
            log.error("%s", trouble)
            self._around.carried_out(ACCOUNT_SETTING, trouble)
            return False
        return True

    async def _settle(self, account: Account) -> None:
        """Let all clients be this account, with its rights as they are now."""
        context = self._around.context
        viewer = Viewer(
            account=account.line,
            global_limits=account.global_limits,
            emm_allowed=account.emm_allowed,
        )
        view = View(context.table, viewer)
        await in_slices(view.looks())
        from cccamd.server.dvbapi.outlook import Outlook

        outlook = Outlook(
            view,
            may_come=self._around.may_come,
            is_constant=lambda request: self._around.is_constant(view, request),
            emm_matches=self._around.emm_matches,
            takes_emms=self._table.au and account.emm_allowed,
        )
        home = self._home
        if home is None or home.account.user != account.user:
            self._port.dismiss(CloseReason.CONFIG_CHANGED)
            self._home = self._make_home(account, outlook)
            return
        home.account, home.outlook = account, outlook
        for session in self.sessions:
            session.adopt()
        context.on_list_due()

    def _make_home(self, account: Account, outlook: "Outlook") -> "DvbapiHome":
        from cccamd.server.dvbapi.session import DvbapiHome
        from cccamd.softcam import House

        home = DvbapiHome(
            context=self._around.context,
            admission=self._admission,
            fair=self._fair,
            account=account,
            outlook=outlook,
            house=House(
                prospects=lambda caid, ident, sid: home.outlook.prospect(caid, ident, sid),
                emm_cards=lambda: home.outlook.emm_cards(),
            ),
        )
        return home

    # What is opened.

    async def _apply_port(self) -> None:
        """What is open stays so when something else is not to be had."""
        table = self._table
        door = (table.listen, table.port) if table.port else None
        if door == self._port_at:
            return
        trouble = ""
        if table.port:
            early = not self._port.is_open
            trouble = await self._open(
                self._port, lambda: open_sockets(table.listen, table.port, early=early)
            )
        else:
            await self._port.close()
        self._port_at = self._port_at if trouble else door
        self._around.carried_out(PORT_SETTING, trouble)

    async def _apply_socket(self) -> None:
        table = self._table
        door = (table.socket, table.socket_mode, table.socket_group) if table.socket else None
        if door == self._socket_at:
            return
        await self._close_socket()
        trouble = ""
        if table.socket:
            path, mode, group = Path(table.socket), table.socket_mode, table.socket_group
            trouble = await self._open(
                self._socket, lambda: [open_unix_socket(path, mode=mode, group=group)]
            )
            self._socket_file = None if trouble else (path, path.lstat().st_ino)
        self._socket_at = None if trouble else door
        self._around.carried_out(SOCKET_SETTING, trouble)

    async def _open(self, listener: Listener, make: Callable[[], Sequence[socket.socket]]) -> str:
        """Listen; what was in the way. A thread looks whether somebody has the socket."""
        try:
            listener.listen(await asyncio.to_thread(make))
        except ListenError as error:
            trouble = f"no dvbapi: {error}"
            log.error("%s", trouble)
            return trouble
        return ""

    async def _close_socket(self) -> None:
        await self._socket.close()
        if self._socket_file is not None:
            remove_unix_socket(*self._socket_file)
        self._socket_file = self._socket_at = None

    # Who comes in.

    def _make_listener(self) -> Listener:
        return Listener(
            self._admission,
            make_guest=self._make_guest,
            on_refused=self._around.on_refused,
            on_failure=self._around.context.on_failure,
            on_event=self._around.context.records.door_log.accepting,
        )

    def _make_guest(self) -> Guest:
        from cccamd.server.dvbapi.session import DvbapiSession

        assert self._home is not None, "the door is open without an account"
        session = DvbapiSession(self._home)
        guest: Guest = session.connection
        self._sessions[guest] = session
        session.connection.when_ended(self._sessions.pop, guest, None)
        return guest


def _closed_to(account: Account) -> str:
    """Why nobody may come as this account, as for a login; empty: somebody may."""
    line = account.line
    if not line.enabled:
        return f'"{line.user}" has enabled = false'
    return "" if line.speaks(PROTOCOL) else f'the protocols of "{line.user}" leave dvbapi out'
