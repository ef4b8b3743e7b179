"""The control socket of a running server: who may come in, and the way in and out.

The file has mode 0600; the kernel says who is at the other end all the same, and nobody but root
and the user that the server runs as is listened to.
"""

import asyncio
import logging
import os
import socket
from pathlib import Path
from typing import Final, cast

from cccamd.acting import Answer, Order, OrderTaker, Phase, Status
from cccamd.machine import OWNER_ONLY, user_numbered
from cccamd.net import (
    Alarm,
    ListenError,
    TaskSet,
    credentials,
    open_unix_socket,
    remove_unix_socket,
)
from cccamd.server.desk import Desk

log = logging.getLogger("cccamd.control")

CONNECTIONS_LIMIT: Final = 16
"""At a time: some who follow the log, and who comes between."""
UNREAD_LIMIT: Final = 64 * 1024
"""Bytes that wait for a reader before no more are made for it."""


class ControlDoor:
    """Opens the socket, and knows who is inside."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._server: asyncio.Server | None = None
        self._file: tuple[Path, int] | None = None
        """The socket's path, and its inode."""
        self._visits: set[_Visit] = set()
        self._trouble = ""
        self._tasks = TaskSet(on_failure=_report)

    async def open(self, path: Path) -> None:
        """Listen; without the socket the server does without it, and says so.

        May be called again and again: what is open stays so.
        """
        if self._server is None:
            trouble = await self._open(path)
            if trouble and trouble != self._trouble:
                log.warning("commands cannot reach this server: %s", trouble)
            elif self._trouble and not trouble:
                log.warning("commands can reach this server now")
            self._trouble = trouble

    async def _open(self, path: Path) -> str:
        """What was in the way; empty: nothing."""
        self._desk.open()
        try:
            sock = await asyncio.to_thread(open_unix_socket, path, mode=OWNER_ONLY, group=None)
        except ListenError as error:
            return str(error)
        try:
            self._file = (path, path.lstat().st_ino)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_unix_server(self._visit, sock=sock)
        except OSError as error:
            sock.close()
            return str(ListenError(str(path), 0, error.strerror or str(error)))
        return ""

    async def close(self) -> None:
        """Let nobody in any more, and end those who are inside."""
        if self._server is not None:
            self._server.close()
        if self._file is not None:
            remove_unix_socket(*self._file)
        await self._tasks.cancel()
        for visit in list(self._visits):
            visit.end()
        self._desk.close()

    def _visit(self) -> "_Visit":
        return _Visit(self._visits, self._desk, self._tasks)


def _report(name: str, error: BaseException) -> None:
    log.error("internal error in %s: %s: %s", name, type(error).__name__, error)
    log.debug("it happened here:", exc_info=error)


class _Visit(asyncio.Protocol):
    """One connection: a thin shell around `OrderTaker`."""

    def __init__(self, visits: set["_Visit"], desk: Desk, tasks: TaskSet) -> None:
        self._visits = visits
        self._desk = desk
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._taker = OrderTaker(self._loop.time())
        self._alarm = Alarm(self)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._by = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is no subclass of asyncio's, and does the same.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=UNREAD_LIMIT)
        is_crowded = len(self._visits) >= CONNECTIONS_LIMIT
        self._visits.add(self)
        refusal = "too many commands at once" if is_crowded else self._refusal()
        if refusal:
            self._taker.answer(Answer(status=Status.UNREACHABLE, text=refusal))
        self._alarm.set(self._taker.next_deadline())
        self._flush()

    def _refusal(self) -> str:
        """Why this caller is not listened to; empty: it is."""
        assert self._transport is not None
        sock: socket.socket = self._transport.get_extra_info("socket")
        caller = credentials(sock)
        if caller is None:
            return "the system does not say who is calling"
        if caller.uid not in (0, os.geteuid()):
            log.warning("control: %s is not listened to", caller)
            return "this server listens to root and to its own user only"
        self._by = f"{user_numbered(caller.uid).name} (process {caller.pid})"
        return ""

    def data_received(self, data: bytes) -> None:
        self._taker.receive_data(data)
        order = self._taker.take_order()
        if order is not None:
            self._task = self._tasks.start("an order", self._carry_out(order))
        self._flush()

    def eof_received(self) -> bool:
        return (
            self._taker.phase is Phase.BUSY
        )  # who has said all it has to say waits for the answer

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._visits.discard(self)
        self._alarm.end()
        if self._task is not None:
            self._task.cancel()

    def end(self) -> None:
        """The server stops."""
        if self._transport is not None:
            self._transport.abort()

    async def _carry_out(self, order: Order) -> None:
        try:
            answer = await self._desk.carry_out(order, self._by, self._say)
        except Exception as error:
            _report(f"the order {order.verb}", error)
            text = "an error of cccamd itself; its log says more"
            answer = Answer(status=Status.UNUSABLE, text=text)
        self._taker.answer(answer)
        self._flush()

    async def _say(self, text: str) -> None:
        await self._room.wait()
        self._taker.show(text)
        self._flush()

    def ring(self) -> None:
        """Do what is due."""
        self._taker.handle_deadline(self._loop.time())
        self._alarm.set(self._taker.next_deadline())
        self._flush()

    def _flush(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if data := self._taker.data_to_send():
            self._transport.write(data)
        if self._taker.phase is Phase.OVER:
            self._transport.close()
