"""Has the clock: looks at the server again and again, and gives the broker what has changed."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from cccamd.ids import format_endpoint
from cccamd.machine import machine_name
from cccamd.mqtt.board import REFRESH, Board
from cccamd.mqtt.broker import WINDOW, BrokerError, Login, Session, log_in
from cccamd.mqtt.picture import Overview, Painter
from cccamd.mqtt.topics import OFFLINE, Topics
from cccamd.net import Backoff, CallError, in_slices, in_thread
from cccamd.setup.files import ConfigFileError
from cccamd.setup.secretfile import password_for
from cccamd.setup.toml import MqttTable

log = logging.getLogger("cccamd.mqtt")

SETTING: Final = "[mqtt] host"
LONGEST_PAUSE: Final = 300.0
"""Seconds between two attempts to reach a broker that is not there."""
STEADY: Final = 60.0
"""Seconds that a session has to last until the next one is not waited for as after a failure."""
QUIET: Final = 3600.0
"""Seconds in which no more than one line of the log says that the broker is not to be had."""
ENOUGH: Final = WINDOW // 2
"""Publications there must be room for until more are given."""
LAST_WORDS: Final = 1.0
"""Seconds that a server which stops waits for the broker."""
CLEARING: Final = 5.0
"""Seconds for the broker to forget what it is told no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the broker is told of: how it is seen, and who it is."""

    look: Callable[[], Awaitable[Overview]]
    node: str
    """Names the server among all, for ever: hex digits."""
    version: str


class Publisher:
    """Publishes by the settings that were adopted last."""

    def __init__(
        self,
        told: Told,
        carried_out: Callable[[str, str], None],
        on_failure: Callable[[str, BaseException], None],
    ) -> None:
        """`carried_out`: told which setting was not carried out, and why; no words: it was."""
        self._on_failure = on_failure
        self._told = told
        self._carried_out = carried_out
        self._table = MqttTable()
        self._folder = Path()
        self._changed = asyncio.Event()
        self._closing = False
        self._ended = asyncio.Event()
        self._session: Session | None = None
        self._logged_at: float | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def table(self) -> MqttTable:
        """The settings in use."""
        return self._table

    def adopt(self, table: MqttTable, folder: Path) -> None:
        """Go by other settings from now on; `folder` is where names of files start."""
        if (table, folder) != (self._table, self._folder):
            self._table, self._folder = table, folder
            self._logged_at = None
            self._interrupt()

    async def run(self) -> None:
        """Publish, until cancelled or closed."""
        try:
            while not self._closing:
                self._changed.clear()
                if self._table.host is None:
                    self._carried_out(SETTING, "")
                    await self._changed.wait()
                else:
                    await self._serve(self._table)
        finally:
            self._ended.set()

    async def close(self) -> None:
        """Say that the server is offline, if the broker listens, and end."""
        self._closing = True
        self._interrupt()
        if self._session is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * LAST_WORDS):
                    await self._ended.wait()

    def _interrupt(self) -> None:
        self._changed.set()
        if self._session is not None:
            self._session.news.set()

    async def _serve(self, table: MqttTable) -> None:
        """Be at one broker as long as the settings stay, whether it is there or not."""
        topics = Topics(table.prefix, table.name or machine_name(), table.discovery)
        painter = Painter(
            topics,
            things=table.things,
            node=self._told.node,
            version=self._told.version,
            expire=int(2 * REFRESH + 3 * table.interval),
        )
        board = Board(repeats=lambda topic: topic.startswith(f"{topics.base}/"))
        backoff = Backoff(most=LONGEST_PAUSE)
        while not self._changed.is_set():
            began = self._loop.time()
            try:
                login = await self._login(table, topics)
                await self._attend(await log_in(table, login), table, topics, painter, board)
            except (BrokerError, CallError) as error:
                self._say(f"[mqtt] the broker {_shown(table)}: {error}")
            except Exception as error:  # one look that fails is not the end of all
                self._on_failure("telling the MQTT broker", error)
            if self._loop.time() - began >= STEADY:
                backoff.reset()
            if not self._changed.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(backoff.next_delay(random.random)):
                        await self._changed.wait()

    async def _login(self, table: MqttTable, topics: Topics) -> Login:
        try:
            said, file = table.password, table.password_file
            password = await in_thread(partial(password_for, said, file, self._folder))
        except ConfigFileError as error:
            raise BrokerError(str(error)) from None
        return Login(
            client_id=f"cccamd-{self._told.node}",
            user=table.user,
            password=password,
            ca=table.ca_path(self._folder),
            topics=topics,
            will=OFFLINE,
        )

    async def _attend(
        self, session: Session, table: MqttTable, topics: Topics, painter: Painter, board: Board
    ) -> None:
        """Keep the broker's topics true until the session or the settings end.

        Raises:
            BrokerError: the session is lost.
        """
        self._session = session
        board.forget()
        look_at = self._loop.time()
        is_complete = False
        try:
            while not session.lost and not self._changed.is_set():
                session.news.clear()
                if self._loop.time() >= look_at:
                    look_at = self._loop.time() + table.interval
                    board.want(await in_slices(painter.painting(await self._told.look())))
                self._give(session, topics, board)
                if not is_complete and board.is_true and session.is_quiet:
                    is_complete = True
                    self._say("")
                await self._until_news(session, look_at)
            if session.lost:
                raise BrokerError(session.lost)
            await self._take_leave(session, table, topics, board)
        finally:
            self._session = None
            session.close()
            await session.gone()

    def _give(self, session: Session, topics: Topics, board: Board) -> None:
        if session.born():
            board.forget()
        if session.overruled():
            board.doubt(topics.status)
        for topic in session.found():
            board.found(topic)
            if (document := topics.document_of(topic)) is not None:
                board.found(document)
        if session.room >= ENOUGH:  # else each confirmation would have all topics looked at
            for topic, payload in board.take(session.room, self._loop.time()):
                session.publish(topic, payload)

    async def _until_news(self, session: Session, until: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await session.news.wait()

    async def _take_leave(
        self, session: Session, table: MqttTable, topics: Topics, board: Board
    ) -> None:
        """The settings end, or the server: nothing stays at the broker that is not true."""
        until = self._loop.time() + (LAST_WORDS if self._closing else CLEARING)
        if not self._closing and _place(self._table) != _place(table):
            board.want({})
        else:
            session.publish(topics.status, OFFLINE)
            board.want_nothing_more()
        while not session.lost and self._loop.time() < until:
            session.news.clear()
            self._give(session, topics, board)
            if session.is_quiet:
                return
            await self._until_news(session, until)

    def _say(self, text: str) -> None:
        self._carried_out(SETTING, text)
        now = self._loop.time()
        if text and (self._logged_at is None or now - self._logged_at >= QUIET):
            self._logged_at = now
            log.warning("%s", text)


def _shown(table: MqttTable) -> str:
    return format_endpoint(table.host or "", table.broker_port)


def _place(table: MqttTable) -> tuple[object, ...]:
    """What says where everything stands: with another place nothing may stay in the old one."""
    return (table.host, table.broker_port, table.prefix, table.name, table.discovery)
