"""dvbapi clients with real sockets: from the CA_PMT to the keys, and what may happen between."""

import asyncio
import logging
import os
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dvbapiclient import (
    DvbapiClient,
    connected,
    dvbapi_setup,
    ecm,
    pmt,
    port_table,
    serving,
)
from laboratory import HOST, expected_cw, running

from cccamd.facts import EcmResult
from cccamd.lab.ports import free_port
from cccamd.net import Connection
from cccamd.routing import Result
from cccamd.server import Server
from cccamd.server.local import LocalSource
from cccamd.values import with_checksums
from cccamd.watch.journal import Journal, read_entries
from cccamd.why import Question
from cccamd.wire.dvbapi import NO_PID, ListManagement, Stop
from cccamd.wire.link import CloseReason
from flavour import replace_for_python

WHO_I_AM = b"\xff\xff\x00\x01\x00\x02\x01x"


async def watch(client: DvbapiClient, sid: int, number: int) -> None:
    """One crypto period of a service, from its ECM to its keys."""
    section = ecm(sid, number)
    await client.until(lambda: any(pid == 1000 + sid for pid, _ in client.filters.values()))
    await client.broadcast(1000 + sid, section)
    await client.until(lambda: client.words_of(2000 + 2 * sid) == expected_cw(section).raw)
    assert client.words_of(2001 + 2 * sid) == expected_cw(section).raw


async def settled(condition) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_two_doors_that_open_are_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    words = f'port = {free_port()}\nsocket = "{tmp_path}/x.sock"\naccount = "tv"'
    async with serving(dvbapi_setup(words)):
        assert caplog.text.count("dvbapi clients may come: ") == 1
        assert f", {tmp_path}/x.sock\n" in caplog.text


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_eight_services_on_one_connection(version: int) -> None:
    port = free_port()
    async with serving(dvbapi_setup(port_table(port))), connected(port, version=version) as client:
        await client.until(lambda: client.server)
        assert client.writes[0] == ["ServerInfo"], "it stands alone"
        assert client.server.startswith("cccamd ")
        await client.say(*(pmt(sid) for sid in range(1, 9)))
        for number in range(3):
            for sid in range(1, 9):
                await watch(client, sid, number)
        assert len(set(client.indices.values())) == 8
        told = [name for names in client.writes for name in names]
        expected = ["SetPid", "SetPid", "SetDescrambler", "SetDescrambler"]
        expected += ["EcmInfo"] if version > 1 else []
        first = told.index("SetPid")
        assert told[first : first + len(expected)] == expected
        if version > 1:
            assert {info.service for info in client.infos} == set(range(1, 9))
        await client.say(Stop(255))
        await client.until(lambda: not client.filters and not client.indices)


async def test_a_client_without_a_greeting_is_served_in_the_oldest_form() -> None:
    port = free_port()
    async with serving(dvbapi_setup(port_table(port))), connected(port, version=0, text="") as old:
        await old.say(pmt(5))
        await watch(old, 5, 0)
        assert not old.infos, "it would not know what that is"


async def test_a_unix_socket_for_owner_and_group(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "run" / "dvbapi.sock"
    group = os.stat(tmp_path).st_gid
    async with serving(dvbapi_setup(f'socket = "{path}"\naccount = "tv"')) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750
        assert path.stat().st_gid == group or os.getgid() in (path.stat().st_gid,)
        async with connected(path) as client:
            await client.say(pmt(1))
            await watch(client, 1, 0)
            (seen,) = server.snapshot().clients
            assert seen.address == f"unix socket, process {os.getpid()} of user {os.getuid()}"
    assert not path.exists(), "it is taken away at the end"
    assert f"process {os.getpid()} of user {os.getuid()}" in caplog.text


async def test_a_socket_that_was_left_behind_is_no_hindrance_and_one_in_use_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "dvbapi.sock"
    setup = dvbapi_setup(f'socket = "{path}"\naccount = "tv"')
    async with serving(setup):
        async with serving(setup):
            assert "another program listens there" in caplog.text
        async with connected(path) as client:  # the first is still there
            await client.say(pmt(1))
            await watch(client, 1, 0)
        left = tmp_path / "left"
        os.link(path, left)
    os.rename(left, path)
    async with serving(setup), connected(path) as client:
        await client.say(pmt(1))
        await watch(client, 1, 0)
    path.write_text("a letter")
    caplog.clear()
    async with serving(setup):
        assert "no socket" in caplog.text
    assert path.read_text() == "a letter"


async def test_a_folder_in_which_everybody_may_replace_it_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o777)
    async with serving(dvbapi_setup(f'socket = "{tmp_path}/x.sock"\naccount = "tv"')) as server:
        assert "name a folder of cccamd's own" in caplog.text
        (problem,) = server.snapshot().config.problems
        assert problem.text in caplog.text


async def test_what_is_seen_of_it() -> None:
    port = free_port()
    cfg = "F: tv secret\nF: anna secret"
    async with serving(dvbapi_setup(port_table(port), cfg=cfg)) as server:
        async with connected(port, text="tvheadend 4.3") as client:
            await client.say(pmt(1), pmt(2, adapter=3))
            for number in range(3):
                await watch(client, 1, number)
            await client.broadcast(1002, ecm(2, 0))
            await client.until(lambda: client.words_of(2004, 3) == expected_cw(ecm(2, 0)).raw)
            (seen,) = server.snapshot().clients
            assert (seen.account, seen.program, seen.cards) == ("tv", "tvheadend 4.3", 1)
            assert (seen.ecms_asked, seen.ecms_answered, seen.pending) == (4, 4, 0)
            first, second = seen.services
            assert (first.caid, first.sid, first.ecm_pid, first.adapter) == (0x7F00, 1, 1001, 0)
            assert (first.ecms_asked, first.ecms_answered) == (3, 3)
            assert first.last_result is EcmResult.CW
            assert (second.sid, second.ecm_pid, second.adapter) == (2, 1002, 3)
            assert server.snapshot().ecms_total == 4
        await settled(lambda: not server.snapshot().clients)


async def test_the_journal_has_each_service_as_a_visit(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "journal.db"
    journal = Journal(path, on_trouble=lambda text: None)
    server = Server(dvbapi_setup(port_table(port)), journal=journal)
    await server.start()
    async with connected(port, text="tvheadend 4.3") as client:
        await client.say(pmt(1), pmt(2))
        for number in range(3):
            await watch(client, 1, number)
            await watch(client, 2, number)
        await client.say(Stop(255))
        await client.until(lambda: not client.filters)
    await settled(lambda: not server.snapshot().clients)
    await server.stop()
    entries = list(read_entries(path))
    kinds = [entry.kind.value for entry in entries if entry.account == "tv"]
    assert kinds == ["login", "visit", "visit", "logout"]
    visits = [entry for entry in entries if entry.kind.value == "visit"]
    assert {(one.sid, one.asked, one.answered, one.address) for one in visits} == {
        (1, 3, 3, HOST),
        (2, 3, 3, HOST),
    }


async def test_it_is_explained() -> None:
    port = free_port()
    question = Question(account="tv")
    async with serving(dvbapi_setup(port_table(port))) as server:
        texts = [finding.text for finding in server.explain(question).findings]
        assert texts[0] == f"no program is connected over dvbapi, which is served at {HOST}:{port}"
        async with connected(port, text="tvheadend 4.3") as client:
            await client.say(pmt(1), pmt(2, caid=0x0500))
            await watch(client, 1, 0)
            texts = [finding.text for finding in server.explain(question).findings]
            assert texts[0].startswith(f"tvheadend 4.3 is connected over dvbapi from {HOST} for")
            assert texts[0].endswith("2 services to be clear, 1 card to open them with")
            assert texts[1].startswith("service 0002 on adapter 0 stays dark: no card for any")
            await client.say(pmt(3))
            await client.until(lambda: len(client.filters) == 2)
            texts = [finding.text for finding in server.explain(question).findings]
            assert texts[2].startswith("of service 0003 on adapter 0 no ECM has come yet, though")


async def test_two_services_of_one_client_are_no_zapping() -> None:
    port = free_port()
    async with serving(dvbapi_setup(port_table(port))) as server:
        server.observe(server._watchers.observe)
        async with connected(port) as client:
            await client.say(pmt(1), pmt(2))
            for number in range(4):
                await watch(client, 1, number)
                await watch(client, 2, number)
            server._observers.catch_up()
            watches = server._watchers._freezes._watches
            assert len(watches) == 2
            assert all(watch.left_at is None for watch in watches.values())
            assert len({client for _, client, *_ in watches}) == 2
            await client.say(Stop(255))
            await settled(lambda: not watches)


async def test_an_account_that_may_not_see_a_card_gets_no_filter() -> None:
    port = free_port()
    limits, services = "F: tv secret { 7f00:0:0 }", "F: tv secret { } { 7f00:0:1 }"
    for line in (limits, services):
        away = f"C: {HOST} {free_port()} anna secret"  # who knows what cards it has
        setup = dvbapi_setup(port_table(port), cfg=f"{line}\n{away}")
        async with serving(setup) as server, connected(port) as client:
            await client.say(pmt(1), pmt(2, caid=0x1234))
            await client.until(lambda: client.filters)
            assert [pid for pid, _ in client.filters.values()] == [1002], "of what may come"
            assert [each.ecm_pid for each in server.snapshot().clients[0].services] == [0, 1002]


async def test_a_peer_that_is_not_there_yet_may_bring_the_card() -> None:
    port, upper_port = free_port(), free_port()
    cfg = f"F: tv secret\nC: {HOST} {upper_port} anna secret"
    setup = dvbapi_setup(port_table(port), cfg=cfg, cards="")
    async with serving(setup) as server, connected(port) as client:
        await client.say(pmt(1))
        await client.until(lambda: client.filters)
        await client.broadcast(1001, ecm(1, 0))
        async with running(port=upper_port):
            await client.until(lambda: client.words_of(2002) == expected_cw(ecm(1, 0)).raw)
            assert client.infos[-1].hops == 1
            for text in (client.infos[-1].reader, client.infos[-1].source):
                assert HOST not in text, "nobody's address"
        assert server.snapshot().clients


async def test_a_restart_and_a_reload_in_the_middle_lose_nothing() -> None:
    port = free_port()
    setup = dvbapi_setup(port_table(port))
    async with serving(setup) as server:
        async with connected(port) as client:
            await client.say(pmt(1))
            await watch(client, 1, 0)
            await server.reload(replace(setup, node_id=setup.node_id))
            await watch(client, 1, 1)
            await server.stop()
            await client.until(lambda: client.is_over)
        async with serving(setup), connected(port) as client:
            await client.say(pmt(1))
            await watch(client, 1, 2)


async def test_a_reload_that_takes_the_table_away_or_moves_it() -> None:
    port, other = free_port(), free_port()
    async with serving(dvbapi_setup(port_table(port))) as server:
        async with connected(port) as client:
            await client.say(pmt(1))
            await watch(client, 1, 0)
            await server.reload(dvbapi_setup(port_table(other)))
            await watch(client, 1, 1)  # who is inside stays
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(HOST, port)
            async with connected(other) as second:
                await second.say(pmt(1))
                await watch(second, 1, 1)
                await server.reload(dvbapi_setup("", cfg="F: anna secret"))
                await second.until(lambda: second.is_over)
            await client.until(lambda: client.is_over)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, other)


async def test_a_port_that_is_not_to_be_had_leaves_the_old_one_open() -> None:
    port = free_port()
    async with serving(dvbapi_setup(port_table(port))) as server:
        with socket.create_server((HOST, 0)) as other:
            taken = other.getsockname()[1]
            await server.reload(dvbapi_setup(port_table(taken)))
            assert server.snapshot().config.not_done == 1
            async with connected(port) as client:
                await client.say(pmt(1))
                await watch(client, 1, 0)
        await server.reload(dvbapi_setup(port_table(taken)))
        assert server.dvbapi_ports == [taken], "the next reload tries again"


async def test_a_door_that_cannot_be_loaded_is_told_of_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As when no file may be opened any more."""
    port = free_port()
    async with serving(dvbapi_setup("", cfg="F: anna secret")) as server:
        with monkeypatch.context() as broken:
            broken.setitem(sys.modules, "cccamd.server.dvbapi.session", None)
            await server.reload(dvbapi_setup(port_table(port)))
        assert server.snapshot().config.not_done == 1
        assert "no dvbapi: its part of the program cannot be loaded" in caplog.text
        await server.reload(dvbapi_setup(port_table(port)))
        assert server.snapshot().config.not_done == 0
        async with connected(port) as client:
            await client.say(pmt(1))
            await watch(client, 1, 0)


def test_a_server_without_such_clients_does_not_load_what_runs_for_them() -> None:
    """It is a twentieth of its memory."""
    asked = "import sys, cccamd.server, cccamd.cli.serve; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    loaded = said.stdout.split()
    assert "cccamd.server.dvbapi.door" in loaded
    assert not [
        name for name in loaded if name.startswith(("cccamd.softcam", "cccamd.wire.dvbapi"))
    ]


async def test_the_rights_of_an_edited_f_line_count_at_once() -> None:
    port = free_port()
    async with serving(dvbapi_setup(port_table(port))) as server, connected(port) as client:
        await client.say(pmt(1))
        await watch(client, 1, 0)
        line = "F: tv secret { 0:0:0, 7f00:0a:0 }"
        await server.reload(dvbapi_setup(port_table(port), cfg=line))
        await client.broadcast(1001, ecm(1, 1))
        await settled(lambda: server.snapshot().clients[0].last_result is not EcmResult.CW)
        assert client.words_of(2002) == expected_cw(ecm(1, 0)).raw
        await server.reload(dvbapi_setup(port_table(port)))
        await client.until(lambda: client.words_of(2002) == expected_cw(ecm(1, 1)).raw)


async def test_an_account_that_does_not_exist_opens_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    async with serving(dvbapi_setup(port_table(port), cfg="F: anna secret")) as server:
        assert 'no F-line has the user "tv"' in caplog.text
        assert server.snapshot().config.not_done == 1
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)


@pytest.mark.parametrize("closed", ["enabled = false", 'protocols = ["cccam"]'])
async def test_an_account_with_which_nobody_may_log_in_opens_nothing(
    closed: str, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    off = dvbapi_setup(port_table(port, f'[[account]]\nuser = "tv"\n{closed}\n'))
    async with serving(dvbapi_setup(port_table(port))) as server:
        async with connected(port) as client:
            await client.say(pmt(1))
            await watch(client, 1, 0)
            await server.reload(off)
            await client.until(lambda: client.is_over)
        assert "no dvbapi: " in caplog.text
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, port)
        await server.reload(dvbapi_setup(port_table(port)))
        async with connected(port) as client:
            await client.say(pmt(1))
            await watch(client, 1, 1)


async def test_a_seventeenth_connection_is_closed_before_it_is_read() -> None:
    port = free_port()
    async with serving(dvbapi_setup(port_table(port))) as server:
        opened = [await asyncio.open_connection(HOST, port) for _ in range(16)]
        for reader, writer in opened:
            writer.write(WHO_I_AM)
            assert await reader.read(4), "it is answered"
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(WHO_I_AM)
        assert await _rest(reader) == b""
        for _, each in (*opened, (reader, writer)):
            each.close()
        await settled(lambda: not server._dvbapi.sessions)


async def test_connections_that_say_nothing_keep_no_program_out() -> None:
    port = free_port()
    async with serving(dvbapi_setup(port_table(port))) as server:
        silent = [await asyncio.open_connection(HOST, port) for _ in range(40)]
        async with connected(port) as client:
            await client.until(lambda: client.server)
            await client.say(pmt(1))
            await watch(client, 1, 6)
            for _, each in silent:
                each.close()
            await settled(lambda: len(server._dvbapi.sessions) == 1)
            await watch(client, 1, 7)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""


async def test_a_constant_cw_of_a_card_of_ours_needs_no_ecm() -> None:
    port = free_port()
    words = [with_checksums(bytes(range(start, start + 16))).hex() for start in (1, 2)]
    fixed = f'[[card]]\nkind = "fixed"\ncaid = "2600"\ncw = "{words[0]}"\n'
    fixed += f'[card.services]\n"0002" = "{words[1]}"\n'
    async with serving(dvbapi_setup(port_table(port), cards=fixed)), connected(port) as client:
        await client.say(*(pmt(sid, ecm_pid=NO_PID, caid=0x2600) for sid in (1, 2)))
        await client.until(lambda: client.words_of(2002).hex() == words[0])
        await client.until(lambda: client.words_of(2004).hex() == words[1])
        assert [pid for pid, _ in client.filters.values()] == [NO_PID, NO_PID]


async def test_nothing_is_left_of_a_client_that_vanishes() -> None:
    port = free_port()
    async with serving(dvbapi_setup(port_table(port))) as server:
        async with connected(port) as client:
            await client.say(*(pmt(sid) for sid in range(1, 5)))
            await watch(client, 1, 0)
            client._writer.transport.abort()
            await client.until(lambda: client.is_over)
        await settled(lambda: not server._dvbapi.sessions)
        assert server._dvbapi._home is not None
        assert not server._dvbapi._home.selected
        assert not server._dvbapi._home.house.caretakers._held
        assert not server._exchange._clients
        assert server._dvbapi._admission.connections == 0


async def test_nonsense_ends_its_connection_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    async with serving(dvbapi_setup(port_table(port))), connected(port) as client:
        await client.say(pmt(1))
        for _ in range(20):
            async with connected(port, text="") as other:
                await other.send_raw(b"GET / HTTP/1.1\r\n\r\n")
                await other.until(lambda other=other: other.is_over)
        await watch(client, 1, 0)
    lines = [text for text in caplog.messages if CloseReason.NOT_DVBAPI.value in text]
    assert len(lines) <= 5, "a peer does not fill the log"


@pytest.mark.parametrize("name", ["_carry_out_one", "_begin_service", "_deliver", "_take_told"])
async def test_whatever_a_handler_raises_ends_its_connection_cleanly(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from cccamd.server.dvbapi.session import DvbapiSession

    port = free_port()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("just a test")

    async with serving(dvbapi_setup(port_table(port))) as server, connected(port) as client:
        await client.say(pmt(1))
        await watch(client, 1, 0)
        with monkeypatch.context() as patched:
            if name == "_deliver":
                patched.setattr(LocalSource, "answer", lambda *_: None)  # not at once
            patched.setattr(DvbapiSession, name, fail)
            async with connected(port) as other:
                await other.say(pmt(1))
                await other.until(lambda: other.filters or other.is_over)
                await other.broadcast(1001, ecm(1, 0))
                await other.broadcast(1001, ecm(1, 1))
                await other.until(lambda: other.is_over)
        assert "just a test" in caplog.text
        await settled(lambda: len(server._dvbapi.sessions) == 1)
        await watch(client, 1, 2)
        assert len(server._exchange._clients) == 1


async def test_programs_that_want_us_to_read_their_tuner_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    port = free_port()
    async with serving(dvbapi_setup(port_table(port))) as server:
        async with connected(port, version=3, text="Enigma2") as client:
            await client.say(pmt(1, manage=ListManagement.ONLY))
            await client.until(lambda: client.server)
            assert server.snapshot().clients[0].services == ()
        assert "Enigma2 expects its softcam to read the DVB devices" in caplog.text
        assert not client.filters


async def test_only_this_machine_and_networks_that_are_named_come_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    monkeypatch.setattr("cccamd.net.listener.peer_address", lambda transport: ("10.0.0.7", 5))
    named = port_table(port, 'networks = ["10.0.0.0/8"]')
    async with serving(dvbapi_setup(named)) as server:
        async with connected(port) as client:
            await client.say(pmt(1))
            await watch(client, 1, 0)
            await server.reload(dvbapi_setup(port_table(port, 'networks = ["10.0.1.0/24"]')))
            await client.until(lambda: client.is_over)
        async with connected(port, text="") as stranger:
            await stranger.until(lambda: stranger.is_over)
        assert server.snapshot().connections_refused == 0, "those are of the other port"
        assert server._dvbapi._admission.refused == 1


async def test_who_is_banned_hears_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    port, address = free_port(), "203.0.113.7"
    monkeypatch.setattr("cccamd.net.listener.peer_address", lambda transport: (address, 5))
    named = port_table(port, f'networks = ["{address}"]')
    async with serving(dvbapi_setup(named)) as server:
        server._penalties.ban(address, 60.0, 1, asyncio.get_running_loop().time())
        async with connected(port, text="") as banned:
            await banned.until(lambda: banned.is_over)
            assert not banned.server
        server._penalties.forget(address)
        async with connected(port) as client:
            await client.until(lambda: client.server)


async def test_a_client_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    async with serving(dvbapi_setup(port_table(port))), connected(port) as client:
        await client.say(pmt(1))
        await watch(client, 1, 0)
        replace_for_python(monkeypatch, Connection, "unsent", 65 * 1024)
        await client.say(pmt(2))
        await client.until(lambda: client.is_over)


async def test_outside_of_its_hours_an_account_asks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    monkeypatch.setattr(
        "cccamd.server.dvbapi.session.shut_now", lambda account: Result.OUT_OF_HOURS
    )
    async with serving(dvbapi_setup(port_table(port))) as server, connected(port) as client:
        await client.say(pmt(1))
        await client.until(lambda: client.filters)
        await client.broadcast(1001, ecm(1, 0))
        await settled(lambda: server.snapshot().clients[0].services[0].ecms_asked)
        assert server.snapshot().sources[0].asked == 0
        assert client.filters, "the filter stays: its hours will come"


async def test_two_clients_may_watch_the_same_and_one_card_is_asked_once() -> None:
    port = free_port()
    setup = dvbapi_setup(port_table(port))
    async with serving(setup) as server, connected(port) as one, connected(port) as other:
        for client in (one, other):
            await client.say(pmt(1))
            await watch(client, 1, 0)
        (source,) = server.snapshot().sources
        assert source.asked == 1
        await one.say(Stop(255))
        await one.until(lambda: not one.filters)
        await watch(other, 1, 1)


def test_the_server_is_a_server() -> None:
    assert Server.dvbapi_ports
