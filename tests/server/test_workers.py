"""One server, its connections in workers: nothing else is different, and a worker may die."""

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from laboratory import (
    HOST,
    TEST_CARD,
    Laboratory,
    ask,
    cards_of,
    connect,
    expected_cw,
    request,
    setup,
    until,
)

from cccamd.lab.ports import free_port
from cccamd.machine import holder_of
from cccamd.net import Client, ConnectError, ListenError, lobby
from cccamd.server import Server
from cccamd.setup.cccamcfg import parse
from cccamd.wire.cccam import ClientProtocol, Target
from cccamd.wire.link import CloseReason
from cccamd.workers import Member, crew

ACCOUNTS = "".join(f"F: user{number} secret\n" for number in range(12))


@asynccontextmanager
async def crewed(
    cfg: str = ACCOUNTS, toml: str = TEST_CARD, *, workers: int = 2
) -> AsyncIterator[Laboratory]:
    """A server, all of whose workers run."""
    port = free_port()
    server = Server(setup(cfg, toml, port=port), workers=workers)
    await server.start()
    try:
        await until(lambda: all(each.line and each.line.has_begun for each in members(server)))
        yield Laboratory(server, port)
    finally:
        await server.stop()
    assert not any(member.pid for member in members(server))


def members(server: Server) -> list[Member]:
    return list(server._front.workers)


async def all_users(lab: Laboratory, held: AsyncExitStack) -> list[Any]:
    """Twelve clients: with two workers, each holds some of them in all but one of 2,000 runs."""
    found = [await held.enter_async_context(lab.client(f"user{number}")) for number in range(12)]
    for client in found:
        await cards_of(client)
    return found


async def test_clients_of_all_workers_are_served_as_one_servers() -> None:
    async with crewed() as lab, AsyncExitStack() as held:
        clients = await all_users(lab, held)
        for ecm in (b"\x80one", b"\x80one", b"\x81two"):
            answers = await asyncio.gather(*(ask(client, ecm) for client in clients))
            assert answers == 12 * [expected_cw(ecm)]
        with pytest.raises(ConnectError):  # whichever worker it comes to
            async with lab.client("user0"):
                pass
        for user, password in (("user1", "wrong"), ("nobody", "secret")):
            with pytest.raises(ConnectError):
                async with lab.client(user, password):
                    pass
        # The client hears of it from the worker, a moment before the core does.
        await until(lambda: lab.server.snapshot().logins_failed == 3)
        seen = lab.server.snapshot()
        assert len(seen.clients) == 12
        assert {client.address for client in seen.clients} == {HOST}
        assert (seen.workers, seen.workers_away, seen.workers_restarted) == (2, 0, 0)
        assert {one.account for one in seen.double_logins} == {"user0"}
        totals = lab.server._context.records.totals
        assert totals.ecms == 36
        await until(lambda: all(each.connection.way() for each in lab.server._context.seats))


async def test_a_worker_that_is_killed_costs_its_own_clients_and_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "cccamd")
    async with crewed() as lab, AsyncExitStack() as held:
        clients = await all_users(lab, held)
        first, second = members(lab.server)
        here, there = first.connections, second.connections
        assert here
        assert there
        pid = first.pid
        os.kill(pid, signal.SIGKILL)
        await until(lambda: len(lab.server._context.seats) == there)
        alive = [client for client in clients if not client._connection.is_closed]
        for client in alive:
            with suppress(ConnectionError):  # the end of some may still be on its way
                assert await ask(client, b"\x80after") == expected_cw(b"\x80after")
        await until(lambda: first.pid not in (0, pid))
        users = {session.record.user for session in lab.server._context.seats}
        for number in range(12):
            if f"user{number}" not in users:  # each finds its place free
                again = await held.enter_async_context(lab.client(f"user{number}"))
                assert await cards_of(again)
        assert len(lab.server._context.seats) == 12
        seen = lab.server.snapshot()
        assert (seen.workers_away, seen.workers_restarted) == (0, 1)
    told = [line for line in caplog.messages if "killed by signal 9" in line]
    (line,) = told
    assert line.startswith("worker 1 was killed by signal 9, and ")
    assert f" {here} connection" in line
    ends = [line for line in caplog.messages if CloseReason.WORKER_ENDED.value in line]
    assert len(ends) == here


async def test_who_comes_while_a_worker_is_away_waits_and_is_served() -> None:
    async with crewed(workers=1) as lab:
        (member,) = members(lab.server)
        os.kill(member.pid, signal.SIGKILL)
        async with lab.client("user3") as client:  # nobody is there to take the connection
            assert await cards_of(client)
            assert await ask(client, b"\x80late") == expected_cw(b"\x80late")


async def test_a_worker_that_hangs_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "LOOK_INTERVAL", 0.05)
    monkeypatch.setattr(crew, "PATIENCE", 1.0)
    async with crewed(workers=1) as lab:
        (member,) = members(lab.server)
        pid = member.pid
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: member.pid not in (0, pid))
        async with lab.client("user0") as client:
            assert await cards_of(client)


async def test_a_machine_that_slept_has_lost_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Core and worker stood still, and the core is awake first."""
    monkeypatch.setattr(crew, "LOOK_INTERVAL", 0.05)
    monkeypatch.setattr(crew, "PATIENCE", 0.5)
    async with crewed(workers=1) as lab, lab.client("user0") as client:
        await cards_of(client)
        (member,) = members(lab.server)
        pid = member.pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1.0)  # this process stands still
        asyncio.get_running_loop().call_later(0.2, os.kill, pid, signal.SIGCONT)
        assert await ask(client, b"\x80awake") == expected_cw(b"\x80awake")
        assert (member.pid, member.starts) == (pid, 1)


async def come_in(lab: Laboratory, held: AsyncExitStack) -> int:
    """How many connections the first worker has when all are in, which is soon."""
    async with asyncio.timeout(8.0):  # a login gives up after ten seconds
        await all_users(lab, held)
    return members(lab.server)[0].connections


@pytest.mark.parametrize("moves", [False, True])
async def test_those_who_come_to_a_worker_that_cannot_run_are_taken_by_the_others(
    monkeypatch: pytest.MonkeyPatch, moves: bool
) -> None:
    monkeypatch.setattr(crew, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(crew, "LONGEST_PAUSE", 0.1)
    async with crewed() as lab, AsyncExitStack() as held, AsyncExitStack() as later:
        first, second = members(lab.server)
        with monkeypatch.context() as broken:
            broken.setattr("sys.executable", "/bin/false")
            os.kill(first.pid, signal.SIGKILL)
            await until(lambda: first.trouble)
            if moves:
                lab.port = free_port()
                lines = f"SERVER LISTEN PORT : {lab.port}\n{ACCOUNTS}"
                config = parse(lines.encode()).config
                await lab.server.reload(replace(lab.server._setup, config=config))
            assert await come_in(lab, held) == 0
        await held.aclose()
        await until(lambda: first.serves and not len(lab.server._context.seats))
        assert second.given == second.sockets, "and they are its own again"
        assert await come_in(lab, later)


async def test_those_who_come_to_a_worker_that_hangs_or_is_short_are_taken_by_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crew, "LOOK_INTERVAL", 0.05)
    async with crewed() as lab, AsyncExitStack() as held, AsyncExitStack() as later:
        first, second = members(lab.server)
        os.kill(first.pid, signal.SIGSTOP)
        await until(lambda: not first.serves)
        assert await come_in(lab, held) == 0
        os.kill(first.pid, signal.SIGCONT)
        await held.aclose()
        await until(lambda: first.serves and second.given == second.sockets)

        few = (psutil.Process(first.pid).num_fds(),) * 2
        psutil.Process(first.pid).rlimit(psutil.RLIMIT_NOFILE, few)
        await come_in(lab, later)
        await until(lambda: first.shut)
        (door,) = lab.server._keeper.log.shut
        assert door.door == f"port {lab.port}, worker 1"
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: not lab.server._keeper.log.shut)


async def test_workers_that_do_not_run_are_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crew, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(crew, "STEADY", 0.3)
    async with crewed(workers=1) as lab:
        (member,) = members(lab.server)
        with monkeypatch.context() as broken:
            broken.setattr("sys.executable", "/bin/false")
            os.kill(member.pid, signal.SIGKILL)
            await until(lambda: lab.server.config_state().not_done)
        (problem,) = lab.server.config_state().problems
        assert problem.text.startswith("worker 1 ended with status 1")
        assert problem.text.endswith("it is started again and again")
        await until(lambda: not lab.server.config_state().problems)
        async with lab.client("user0") as client:
            assert await cards_of(client)


async def test_a_worker_for_which_there_are_no_means_comes_when_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No descriptors are left at the moment when it has to be started again."""
    monkeypatch.setattr(crew, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(crew, "STEADY", 0.3)

    def short(*words: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with crewed(workers=1) as lab:
        (member,) = members(lab.server)
        with monkeypatch.context() as broken:
            broken.setattr(crew.socket, "socketpair", short)
            os.kill(member.pid, signal.SIGKILL)
            await until(lambda: lab.server.config_state().not_done)
        (problem,) = lab.server.config_state().problems
        assert problem.text.startswith("worker 1 cannot be started: Too many open files")
        async with lab.client("user0") as client:
            assert await cards_of(client)
        await until(lambda: not lab.server.config_state().problems)


async def test_a_reload_moves_the_port_of_all_workers() -> None:
    async with crewed() as lab, AsyncExitStack() as held:
        clients = await all_users(lab, held)
        new = free_port()
        config = parse(f"SERVER LISTEN PORT : {new}\n{ACCOUNTS}".encode()).config
        await lab.server.reload(replace(lab.server._setup, config=config))
        assert set(lab.server.ports) == {new}
        with pytest.raises(ConnectError):
            await connect(Target(host=HOST, port=lab.port, user=b"user0", password=b"secret"))
        assert await ask(clients[0], b"\x80stays") == expected_cw(b"\x80stays")
        await clients[0].close()
        await until(lambda: len(lab.server._context.seats) == 11)
        lab.port = new
        async with lab.client("user0") as client:
            assert await cards_of(client)


async def test_a_port_that_another_has_is_not_shared_with_it() -> None:
    port = free_port()
    taken = socket.create_server((HOST, port), reuse_port=True)
    server = Server(setup(ACCOUNTS, TEST_CARD, port=port), workers=2)
    try:
        with pytest.raises(ListenError):
            await server.start()
    finally:
        await server.stop()
        taken.close()


async def test_one_who_does_not_read_is_cut_and_costs_nobody_anything() -> None:
    toml = TEST_CARD + "[limits]\nmax_unread_kilobytes = 16\nunread_timeout = 0.5\n"
    async with crewed(toml=toml, workers=1) as lab, lab.client("user0") as deaf:
        await cards_of(deaf)
        connection = deaf._connection
        assert connection._transport is not None
        options = socket.SOL_SOCKET, socket.SO_RCVBUF, 4096
        connection._transport.get_extra_info("socket").setsockopt(*options)
        connection._transport.pause_reading()
        async with lab.client("user1") as other:
            await cards_of(other)
            ecm = request(bytes(1), share_id=next(iter(deaf.cards)))

            def is_cut() -> bool:
                for _ in range(0 if connection.is_closed else 200):
                    deaf.protocol.ask(1, ecm, 0.0)
                    deaf.protocol._asked.clear()
                connection.flush()
                return not lab.server._context.seats.of(b"user0")

            await until(is_cut, seconds=30.0)
            assert await ask(other, b"\x80other") == expected_cw(b"\x80other")


def ask_blindly(client: Client[ClientProtocol], count: int) -> None:
    for number in range(count):
        client.protocol.ask(1, request(number.to_bytes(2), share_id=next(iter(client.cards))), 0.0)
        client.protocol._asked.clear()
    client._connection.flush()


class Small(socket.socket):
    """One whose machine takes some thousand bytes and no more; so it has to be from the start."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


@asynccontextmanager
async def deaf_client(
    monkeypatch: pytest.MonkeyPatch, toml: str
) -> AsyncIterator[tuple[Client[ClientProtocol], asyncio.Transport, Any]]:
    """A client with little room that does not read for now, and what the core has of it."""
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(crewed(toml=toml, workers=1))
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", Small)
            deaf = await stack.enter_async_context(lab.client("user0"))
        await cards_of(deaf)
        transport = deaf._connection._transport
        assert transport is not None
        transport.pause_reading()
        yield deaf, transport, lab.server._context.seats.of(b"user0")[0].connection


async def test_who_asks_slowly_and_reads_nothing_is_cut_once_its_machine_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not after 256 KiB, and the megabytes that the system takes before."""
    toml = TEST_CARD + "[limits]\nmax_unread_kilobytes = 1000\nunread_timeout = 2\n"
    async with deaf_client(monkeypatch, toml) as (deaf, _, connection), asyncio.timeout(20.0):
        while not connection.is_full():
            ask_blindly(deaf, 8)
            await asyncio.sleep(0.002)
        while not connection.is_closed:
            ask_blindly(deaf, 1)
            await asyncio.sleep(0.002)
        assert connection._closing.reason is CloseReason.NOT_READING
        assert connection._closing.detail.endswith("none of it for 0.8 s")
        assert connection.heard_messages < 2000


async def test_who_reads_slowly_with_its_machine_full_is_served_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toml = TEST_CARD + "[limits]\nunread_timeout = 2\n"
    async with deaf_client(monkeypatch, toml) as (slow, transport, connection):
        number = transport.get_extra_info("socket").fileno()
        while not connection.is_full():
            ask_blindly(slow, 8)
            await asyncio.sleep(0.002)
        full_at = heard = connection.heard_messages
        for _ in range(14):
            ask_blindly(slow, 40)
            with suppress(BlockingIOError):
                os.read(number, 2048)  # what the protocol would make of it does not matter
            await asyncio.sleep(0.1)
            assert not connection.is_closed
            heard = connection.heard_messages
        assert heard > full_at + 100


async def test_strangers_hear_nothing_of_a_worker_either() -> None:
    async with crewed(workers=1) as lab:
        lab.server._context.admission._admits = lambda address: False
        reader, writer = await asyncio.open_connection(HOST, lab.port)
        async with asyncio.timeout(5.0):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
        assert lab.server._context.admission.refused == 1
        assert lab.server._context.admission.connections == 0


async def test_who_only_looks_is_not_called_a_login(caplog: pytest.LogCaptureFixture) -> None:
    """As port scanners do: without workers it is not, either."""
    async with crewed(workers=1) as lab:
        _, writer = await asyncio.open_connection(HOST, lab.port)
        await until(lambda: lab.server._context.admission.connections)
        writer.close()
        await until(lambda: not lab.server._context.admission.connections)
    assert not [line for line in caplog.messages if "no login" in line]


async def test_what_fails_in_a_worker_ends_one_connection() -> None:
    """Here: an order that no worker knows."""
    async with crewed(workers=1) as lab, lab.client("user0") as one, lab.client("user1") as other:
        await cards_of(one)
        await cards_of(other)
        (session,) = lab.server._context.seats.of(b"user0")
        assert session.connection._transport is not None
        session.connection._transport.write(b"\xff\0\0\0\0")
        await until(lambda: not lab.server._context.seats.of(b"user0"))
        assert await ask(other, b"\x80other") == expected_cw(b"\x80other")
        assert members(lab.server)[0].starts == 1


def ignores(pid: int, number: int) -> bool:
    """Whether a process ignores a signal: a worker does as soon as it has been loaded."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (mask,) = (line.split()[1] for line in lines if line.startswith("SigIgn:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_no_worker_outlives_its_server(tmp_path: Path, end: signal.Signals) -> None:
    port = free_port()
    (tmp_path / "CCcam.cfg").write_text(
        f"SERVER LISTEN PORT : {port}\nALLOW WEBINFO : no\nALLOW TELNETINFO : no\nF: anna secret\n"
    )
    (tmp_path / "cccamd.toml").write_text(f'[server]\nbind = ["{HOST}"]\n{TEST_CARD}')
    command = [sys.executable, "-m", "cccamd", "serve", "-C", "CCcam.cfg", "-n", "node-id"]
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            "--workers",
            "2",
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    core = psutil.Process(process.pid)
    await until(lambda: len(core.children()) == 2, seconds=30.0)
    workers = core.children()
    lab = Laboratory(None, port)  # type: ignore[arg-type]
    await until(lambda: "listening for clients" in (tmp_path / "log").read_text(), seconds=30.0)
    async with lab.client() as client:
        assert await cards_of(client)
        # Core and workers listen there, and who asks whose the port is means the server.
        holder = await asyncio.to_thread(holder_of, port, (HOST,))
        assert holder is not None
        assert holder.process is not None
        assert (holder.process.pid, holder.is_ours) == (process.pid, True)
        await until(lambda: all(ignores(one.pid, signal.SIGTERM) for one in workers), seconds=30.0)
        if end is signal.SIGKILL:
            workers[0].suspend()  # one that hangs would keep the port
            process.kill()
        else:  # as systemd does: to all of them, and the core alone acts upon it
            for worker in workers:
                assert ignores(worker.pid, signal.SIGHUP)
                assert ignores(worker.pid, signal.SIGINT)
            for one in (*workers, core):
                one.send_signal(end)
        await process.wait()
    await until(lambda: not any(worker.is_running() for worker in workers))
    assert process.returncode == (-end if end is signal.SIGKILL else 0)
    assert "worker" not in (tmp_path / "log").read_text()


async def test_in_a_crowd_silent_ones_are_no_more_than_sockets_of_a_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lobby, "CROWD", 0)
    monkeypatch.setattr(lobby, "LONG", 60.0)
    async with crewed(toml=TEST_CARD + "[limits]\nmax_pending_logins = 3\n") as lab:
        admission = lab.server._context.admission
        silent = []
        for _ in range(5):
            silent.append(await asyncio.open_connection(HOST, lab.port))
            await silent[-1][0].readexactly(16)
        for reader, _ in silent[:2]:
            assert await reader.read() == b"", "they made room"
        lines = [each.line for each in members(lab.server) if each.line is not None]
        waiting = [one for line in lines for one in line.transports.values()]
        assert [one._protocol for one in waiting] == [None] * 3
        async with lab.client("user1") as client:
            await cards_of(client)
            assert await ask(client, b"\x80one") == expected_cw(b"\x80one")
        silent[4][1].close()
        await until(lambda: admission.connections == 1)
        for each in members(lab.server):
            os.kill(each.pid, signal.SIGKILL)
        await until(lambda: not admission.connections)
        for _, writer in silent:
            writer.close()
