"""The worker processes of one server: started, watched, started again, told what to do."""

import asyncio
import json
import logging
import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

from cccamd.ids import NodeId
from cccamd.net import (
    AcceptEnded,
    AcceptEvent,
    AcceptPaused,
    AcceptResumed,
    Backoff,
    TaskSet,
    in_slices,
    open_sockets,
)
from cccamd.wording import count
from cccamd.workers import frames
from cccamd.workers.frames import FrameCutter, Kind
from cccamd.workers.remote import RemoteTransport, WorkerEnded

log = logging.getLogger("cccamd.server")

LOOK_INTERVAL: Final = 2.0
"""Seconds between two looks whether a worker lives."""
PATIENCE: Final = 10.0
"""Seconds without any word from a worker after which it is ended, and started again."""
START_PATIENCE: Final = 60.0
"""Seconds for its first word: a machine that has just started has much to do."""
BACKLOG_LIMIT: Final = 64 << 20
"""Bytes that a worker may leave unread before it counts as hung."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds before a worker that ended is started again; each time twice as many."""
STEADY: Final = 60.0
"""Seconds that a worker must have lived for the pause to be short again."""
OFTEN: Final = 3
"""Ends of a worker, one soon after the other, from which on people are told."""
STOP_PATIENCE: Final = 2.0
"""Seconds that workers have to end when the server stops."""
_EVENTS: Final[dict[str, Any]] = {
    kind.__name__: kind for kind in (AcceptPaused, AcceptResumed, AcceptEnded)
}


@dataclass(slots=True)
class Member:
    """One worker, over all its lives."""

    number: int
    """From 1."""
    sockets: list[socket.socket] = field(default_factory=list)
    """It listens on these; kept here, so that who connects while it is away is not turned down."""
    pid: int = 0
    """0: it is not running."""
    starts: int = 0
    line: "Line | None" = None
    trouble: str = ""
    """How it ended last, until it has lived for a while."""
    shut: str = ""
    """The door at which it can accept nothing, if it said so."""
    given: list[socket.socket] = field(default_factory=list)
    """What it was told last to listen on: its own, and those of others that do not serve."""

    @property
    def connections(self) -> int:
        """How many clients it holds."""
        return len(self.line.transports) if self.line is not None else 0

    @property
    def serves(self) -> bool:
        """Whether it takes who connects, as far as is known."""
        return self.line is not None and self.line.is_awake and not self.shut


class Line(asyncio.Protocol):
    """The stream to one worker."""

    def __init__(self, crew: "Crew", member: Member) -> None:
        self.transports: dict[int, RemoteTransport] = {}
        self.heard_at = asyncio.get_running_loop().time()
        self.has_begun = False
        """Whether it has said anything yet."""
        self.is_awake = False
        """Whether it has said anything lately."""
        self.ended = asyncio.Event()
        self.lost = 0
        """How many clients it took with it."""
        self._crew = crew
        self._member = member
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._cutter = FrameCutter()
        self._outbox: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """All its clients are gone with it."""
        self._transport = None
        transports, self.transports = self.transports, {}
        self.lost = len(transports)
        self._crew.lose(transports.values())
        self.ended.set()

    def data_received(self, data: bytes) -> None:
        self.heard_at, self.has_begun = self._loop.time(), True
        if not self.is_awake:
            self.is_awake = True
            self._crew.share_out()
        for kind, number, body in self._cutter.cut(data):
            try:
                self._hear(kind, number, body)
            except Exception as error:
                self._crew.on_failure("what a worker said", error)

    def _hear(self, kind: int, number: int, body: bytes) -> None:
        if kind == Kind.CAME:
            peername = body[2:].decode(), int.from_bytes(body[:2])
            transport = RemoteTransport(number, peername, self.send)
            self.transports[number] = transport
            self._crew.let_in(transport)
            return
        if number == 0:
            self._crew.hear(self._member, kind, body)
            return
        known = self.transports.get(number)
        if known is None:
            return  # it has ended meanwhile
        if kind == Kind.TELLS:
            known.heard(body)
        elif kind == Kind.TAKEN:
            known.taken(*frames.TAKEN.unpack(body))
        elif kind == Kind.SPOKE:
            known.spoke(said=body != b"\0")
        elif kind == Kind.WAY:
            known.noted(body)
        elif kind == Kind.STUCK:
            known.stuck, known.asks_more = frames.STUCK.unpack(body)

    def send(self, kind: Kind, number: int, body: bytes) -> None:
        """Send a frame, with the others of this turn of the loop."""
        if kind in (Kind.END, Kind.DROP):
            self.transports.pop(number, None)
        if not self._outbox:
            self._loop.call_soon(self._post)
        self._outbox.append(frames.pack(kind, number, body))

    def _post(self) -> None:
        outbox, self._outbox = self._outbox, []
        if self._transport is not None:
            self._transport.write(b"".join(outbox))

    @property
    def backlog(self) -> int:
        """Bytes that the worker has not read."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def close(self) -> None:
        """Hang up: the worker ends."""
        if self._transport is not None:
            self._transport.close()


class Crew:
    """All workers."""

    def __init__(
        self,
        number: int,
        *,
        node_id: NodeId,
        program: str,
        tasks: TaskSet,
        let_in: Callable[[RemoteTransport], None],
        on_event: Callable[[AcceptEvent], None],
        on_trouble: Callable[[str], None],
        on_failure: Callable[[str, BaseException], None],
    ) -> None:
        """`let_in` decides about each who has connected, and calls `begin` of those let in.

        `on_trouble` is told what is wrong with the workers as a whole; empty: nothing.
        """
        self.members = [Member(number) for number in range(1, number + 1)]
        self.let_in = let_in
        self.on_failure = on_failure
        self._on_event = on_event
        self._on_trouble = on_trouble
        self._self = {"node_id": node_id.hex(), "program": program}
        self._tasks = tasks
        self._controls: dict[int, socket.socket] = {}
        self._is_stopping = False

    @property
    def ports(self) -> list[int]:
        """The ports that are open."""
        return [sock.getsockname()[1] for sock in self.members[0].sockets]

    @property
    def addresses(self) -> list[str]:
        """The addresses that are listened on."""
        return [sock.getsockname()[0] for sock in self.members[0].sockets]

    def start(self) -> None:
        """Start all of them."""
        for member in self.members:
            self._tasks.start(f"worker {member.number}", self._keep(member))

    async def stop(self) -> None:
        """End all of them."""
        self._is_stopping = True
        self.close()
        for member in self.members:
            if member.line is not None:
                member.line.close()
        try:
            async with asyncio.timeout(STOP_PATIENCE):
                while any(member.pid for member in self.members):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            for member in self.members:
                _kill(member.pid)

    def listen(self, addresses: Sequence[str], port: int) -> None:
        """Have all workers listen on a port of each address, and on nothing else.

        The kernel gives each who connects to one of them.

        Raises:
            ListenError: one of them is not to be had; what was open before stays open.
        """
        ours = {sock.getsockname()[:2] for sock in self.members[0].sockets}
        others = [address for address in addresses if (address, port) not in ours]
        early = not ours
        # Who shares a port with us would not be noticed.
        for sock in open_sockets(others, port, early=early):
            sock.close()
        opened: list[list[socket.socket]] = []
        try:
            opened.extend(
                open_sockets(addresses, port, shared=True, early=early) for _ in self.members
            )
        except Exception:
            for sockets in opened:
                for sock in sockets:
                    sock.close()
            raise
        self._replace(opened)

    def close(self) -> None:
        """Have them listen no more; connections stay."""
        self._replace([[] for _ in self.members])

    def _replace(self, opened: Sequence[list[socket.socket]]) -> None:
        old = [sock for member in self.members for sock in member.sockets]
        for member, sockets in zip(self.members, opened, strict=True):
            member.sockets = sockets
            self._hand_over(member, sockets)
        self.share_out()
        for sock in old:
            sock.close()

    def share_out(self) -> None:
        """Have those who serve take who comes to one that does not.

        The kernel goes on giving it its part of those who connect: they would wait until it is
        back, and that may be never. One that is short of something is told nothing meanwhile: it
        would try again at once.
        """
        serving = [member for member in self.members if member.serves]
        shares = [list(member.sockets) for member in serving]
        for number, member in enumerate(each for each in self.members if not each.serves):
            if serving:
                shares[number % len(serving)] += member.sockets
        for member, sockets in zip(serving, shares, strict=True):
            if sockets != member.given:
                self._hand_over(member, sockets)

    def _hand_over(self, member: Member, sockets: list[socket.socket]) -> None:
        control = self._controls.get(member.number)
        if control is None:
            return  # it gets them when it runs
        told, member.given = json.dumps(self._self).encode(), sockets
        try:
            numbers = [sock.fileno() for sock in sockets[: frames.SOCKETS_LIMIT]]
            socket.send_fds(control, [told], numbers)
        except OSError as error:  # it has just ended, or does not read: it is started again
            log.debug("worker %d takes no sockets: %s", member.number, error)

    def lose(self, transports: Collection[RemoteTransport]) -> None:
        """End the clients of a worker that ended: a few at a time, there may be thousands."""
        if transports:
            self._tasks.start("clients of a worker that ended", in_slices(_losing(transports)))

    def hear(self, member: Member, kind: int, body: bytes) -> None:
        """A worker said something of itself."""
        if kind == Kind.ACCEPTING:
            words = json.loads(body)
            event = _EVENTS[words.pop("event")](**words)
            self._note_door(member, event._replace(door=f"{event.door}, worker {member.number}"))
        elif kind == Kind.FAILED:
            self.on_failure("a worker", WorkerFailure(body.decode("utf-8", "replace")))

    def _note_door(self, member: Member, event: AcceptEvent) -> None:
        """One that can accept nothing is helped by the others, and when it ends that is over."""
        member.shut = event.door if isinstance(event, AcceptPaused) else ""
        self._on_event(event)
        self.share_out()

    # The life of a worker.

    async def _keep(self, member: Member) -> None:
        loop = asyncio.get_running_loop()
        backoff = Backoff(first=FIRST_PAUSE, most=LONGEST_PAUSE)
        while not self._is_stopping:
            began = loop.time()
            steady = loop.call_later(STEADY, self._is_well, member)
            how = await self._live(member)
            steady.cancel()
            if self._is_stopping:
                return
            if loop.time() - began >= STEADY:
                backoff.reset()
            member.trouble = f"worker {member.number} {how}; it is started again and again"
            if backoff.failures < OFTEN:
                log.error("worker %d %s; it starts again", member.number, how)
            else:  # the state of the configuration says so, as long as it lasts
                self._tell_trouble()
            await asyncio.sleep(backoff.next_delay(random.random))

    def _is_well(self, member: Member) -> None:
        member.trouble = ""
        self._tell_trouble()

    def _tell_trouble(self) -> None:
        self._on_trouble("; ".join(each.trouble for each in self.members if each.trouble))

    async def _live(self, member: Member) -> str:
        """From its start to its end; return how that was."""
        with ExitStack() as held:
            try:
                return await self._live_on(member, *await _start(held))
            except OSError as error:
                return f"cannot be started: {error.strerror or error}"

    async def _live_on(
        self,
        member: Member,
        process: asyncio.subprocess.Process,
        stream: socket.socket,
        control: socket.socket,
    ) -> str:
        line = Line(self, member)
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: line, sock=stream)
        member.line, member.pid, member.starts = line, process.pid, member.starts + 1
        self._controls[member.number] = control
        self._hand_over(member, member.sockets)
        watch = self._tasks.start(f"watch over worker {member.number}", self._watch(member, line))
        try:
            status = await process.wait()
            await line.ended.wait()
        finally:
            watch.cancel()
            line.close()
            del self._controls[member.number]
            member.line, member.pid = None, 0
            self._note_door(member, AcceptEnded(member.shut))  # the others take its sockets
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"{how}, and {count(line.lost, 'connection')} with it"

    async def _watch(self, member: Member, line: Line) -> None:
        """One that hangs is as bad as one that is gone, and worse to see."""
        loop = asyncio.get_running_loop()
        while True:
            line.send(Kind.LOOK, 0, b"")
            asked_at = loop.time()
            await asyncio.sleep(LOOK_INTERVAL)
            if loop.time() - asked_at > 2 * LOOK_INTERVAL:
                line.heard_at = loop.time()  # it was us who stood still: the machine slept
            silent = loop.time() - line.heard_at
            patience = PATIENCE if line.has_begun else START_PATIENCE
            if line.is_awake and silent > 1.5 * LOOK_INTERVAL:
                line.is_awake = False
                self.share_out()
            if silent > patience or line.backlog > BACKLOG_LIMIT:
                log.error("worker %d has said nothing for %.0f s: killed", member.number, silent)
                _kill(member.pid)
                return


async def _start(
    held: ExitStack,
) -> tuple[asyncio.subprocess.Process, socket.socket, socket.socket]:
    """Start a process; it, the stream to it and the way of sockets to it, which `held` closes.

    Raises:
        OSError: there are no means for it.
    """
    with ExitStack() as its:
        stream, its_stream = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        held.enter_context(stream)
        its.enter_context(its_stream)
        control, its_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        held.enter_context(control)
        its.enter_context(its_control)
        control.setblocking(False)
        ends = (its_stream.fileno(), its_control.fileno())
        command = [sys.executable, "-m", "cccamd.workers", *map(str, ends)]
        # In a session of its own: Ctrl-C goes to the core alone, also while a worker still loads.
        process = await asyncio.create_subprocess_exec(
            *command, pass_fds=ends, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
        )
    return process, stream, control


def _losing(transports: Collection[RemoteTransport]) -> Generator[None, None, None]:
    for transport in transports:
        transport.lost(WorkerEnded())
        yield


class WorkerFailure(Exception):
    """What went wrong in a worker, in its words."""


def _kill(pid: int) -> None:
    if pid:
        with suppress(ProcessLookupError):  # it has ended by itself meanwhile
            os.kill(pid, signal.SIGKILL)
