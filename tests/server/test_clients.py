"""Real logins over loopback: who gets in, who gets what."""

import asyncio
import logging
import os
import socket
from contextlib import suppress

import pytest
from laboratory import (
    HOST,
    PLAIN_NODE,
    TEST_CARD,
    Laboratory,
    ask,
    cards_of,
    connect,
    expected_cw,
    request,
    running,
    setup,
    until,
)

from cccamd.facts import ConfigProblemKind, Revision
from cccamd.ids import NodeId
from cccamd.net import (
    ConnectError,
    ListenError,
    Step,
)
from cccamd.values import Refusal
from cccamd.wire.cccam import (
    Target,
    Version,
)

ODD_PASSWORD = "".join(chr(code) for code in range(33, 127) if chr(code) not in "{}")


@pytest.mark.parametrize("server_node", [None, PLAIN_NODE], ids=["extended", "plain"])
@pytest.mark.parametrize("client_node", ["7f00000000000001", "ff00000000000001"])
async def test_ecms_of_all_lengths_bring_the_right_cw(
    server_node: NodeId | None, client_node: str
) -> None:
    async with (
        running(node_id=server_node) as lab,
        lab.client(node_id=NodeId(bytes.fromhex(client_node))) as client,
    ):
        await cards_of(client)
        assert client.protocol.extended is (server_node is None)
        for length in (1, 2, 150, 255, 256, 257, 511, 512, 600, 1007):
            ecm = os.urandom(length)
            assert await ask(client, ecm) == expected_cw(ecm)


async def test_long_names_and_every_printable_character() -> None:
    name = "n" * 20
    async with (
        running(f"F: {name} {ODD_PASSWORD}") as lab,
        lab.client(name, ODD_PASSWORD) as client,
    ):
        assert await cards_of(client) == [0x7F00]


async def test_a_wrong_login_is_closed_without_a_word() -> None:
    async with running() as lab:
        for user, password in (("anna", "wrong"), ("nobody", "secret")):
            with pytest.raises(ConnectError) as caught:
                async with lab.client(user, password):
                    pass
            assert caught.value.step is Step.LOGIN
        async with lab.client():
            pass


async def test_one_account_is_one_client() -> None:
    async with running() as lab, lab.client() as first:
        await cards_of(first)
        with pytest.raises(ConnectError):
            async with lab.client():
                pass
        assert await ask(first, b"\x80still here") == expected_cw(b"\x80still here")


async def test_the_place_of_a_client_is_free_when_it_has_left() -> None:
    async with running() as lab:
        for _ in range(3):
            async with lab.client() as client:
                await cards_of(client)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("127.0.0.1", True), ("localhost", True), ("192.0.2.9", False), ("no.such.invalid", False)],
)
async def test_the_host_of_an_f_line(host: str, allowed: bool) -> None:
    async with running(f"F: anna secret 5 0 1 {{ }} {{ }} {{ }} {host}") as lab:
        if allowed:
            async with lab.client():
                return
        with pytest.raises(ConnectError):
            async with lab.client():
                pass


async def test_old_clients_can_be_kept_out() -> None:
    cfg = "MINIMUM CLIENT VERSION : 2.1.0\nF: anna secret"
    async with running(cfg) as lab:
        async with lab.client(version=Version(2, 1, 1)):
            pass
        async with lab.client(version=Version(2, 0, 11)) as client:
            await client.wait_until(lambda: client.closed is not None, timeout=10.0)
            assert client.closed is not None
            assert not client.cards


async def test_versions_decide_the_revision() -> None:
    cfg = "F: anna secret\nF: ben secret"
    toml = TEST_CARD + 'sids = ["0001"]\n[[account]]\nuser = "ben"\ncccversion = "2.0.11"\n'
    async with running(cfg, toml) as lab, lab.client("anna") as anna, lab.client("ben") as ben:
        await cards_of(anna)
        await cards_of(ben)
        assert anna.protocol.revision is Revision.V2
        assert ben.protocol.revision is Revision.V1
        assert [card.assigned_sids for card in anna.cards.values()] == [(1,)]


async def test_nok2_for_what_the_card_cannot_do_nok1_for_what_is_not_there() -> None:
    toml = TEST_CARD + 'sids = ["0001"]\n'
    async with running(toml=toml) as lab, lab.client() as client:
        await cards_of(client)
        assert await ask(client, b"\x80", sid=2) is Refusal.CANNOT_DECODE
        assert await ask(client, b"\x80", share_id=0x1234) in (
            Refusal.PASSING,
            expected_cw(b"\x80"),
        )
        assert await ask(client, b"\x80", caid=0x7E00, share_id=0x1234) is Refusal.PASSING
        assert await ask(client, b"\x80", sid=1) == expected_cw(b"\x80")


async def test_ecms_before_the_first_card_are_answered() -> None:
    async with running() as lab, lab.client() as client:
        assert await client.ask(request(b"\x80early"), timeout=10.0) is not None


async def test_outside_its_hours_a_client_gets_nothing() -> None:
    async with (
        running("F: anna secret 5 0 1 { } { } { 03:00-03:00 }") as lab,
        lab.client() as client,
    ):
        await cards_of(client)
        assert await ask(client, b"\x80") is Refusal.PASSING


async def test_limits_of_an_f_line() -> None:
    cfg = "F: anna secret 5 0 1 { 7f00:00000a:0 }\nF: ben secret 5 0 1 { 0:0:1 }"
    async with running(cfg) as lab, lab.client("anna") as anna, lab.client("ben") as ben:
        await cards_of(ben)
        assert [card.reshare for card in ben.cards.values()] == [0]
        assert not anna.cards
        assert await ask(anna, b"\x80", share_id=next(iter(ben.cards))) is Refusal.PASSING


async def test_many_requests_at_once_are_all_answered() -> None:
    async with running() as lab, lab.client() as client:
        await cards_of(client)
        ecms = [b"\x80" + bytes([number]) for number in range(60)]
        answers = await asyncio.gather(*(ask(client, ecm) for ecm in ecms))
        assert answers == [expected_cw(ecm) for ecm in ecms]


async def test_the_log_tells_and_keeps_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "cccamd")
    ecm = os.urandom(40)
    async with running("F: anna Passw0rd-to-hide") as lab:
        async with lab.client(password="Passw0rd-to-hide") as client:
            await cards_of(client)
            client.protocol.send_keepalive()
            await ask(client, ecm)
        with pytest.raises(ConnectError):
            async with lab.client("mallory", "x"):
                pass
    # A flood of keepalives must cost no more than to count them.
    assert not any("sign of life" in text for text in caplog.messages)
    text = caplog.text
    assert "anna@127.0.0.1" in text
    assert "no F-line has this user name ('mallory')" in text
    assert "v2" in text
    for secret in ("Passw0rd-to-hide", expected_cw(ecm).raw.hex(), ecm.hex()):
        assert secret not in text.lower()
        assert secret not in text


async def raw_connection(lab: Laboratory) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(HOST, lab.port)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(5000)])
async def test_strangers_are_closed_and_hurt_nobody(sent: bytes) -> None:
    toml = TEST_CARD + "[limits]\nlogin_timeout = 1\n"
    async with running(toml=toml) as lab, lab.client() as client:
        await cards_of(client)
        reader, writer = await raw_connection(lab)
        writer.write(sent)
        async with asyncio.timeout(10.0):
            received = await reader.read()
        writer.close()
        assert len(received) == 16
        assert await ask(client, b"\x80fine") == expected_cw(b"\x80fine")


async def test_a_flood_of_silent_connections_keeps_nobody_out() -> None:
    toml = TEST_CARD + "[limits]\nmax_pending_logins = 20\n"
    async with running(toml=toml) as lab:
        silent = [await raw_connection(lab) for _ in range(60)]
        async with lab.client() as client:
            assert await cards_of(client) == [0x7F00]
        for _, writer in silent:
            writer.close()


async def test_a_client_that_does_not_read_is_dropped() -> None:
    toml = TEST_CARD + "[limits]\nmax_unread_kilobytes = 8\nunread_timeout = 0.5\n"
    async with running(toml=toml) as lab, lab.client() as client:
        await cards_of(client)
        connection = client._connection
        session = lab.server._context.seats.of(b"anna")[0]
        for one, option in ((connection, socket.SO_RCVBUF), (session.connection, socket.SO_SNDBUF)):
            assert one._transport is not None
            one._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 4096)
        assert connection._transport is not None
        connection._transport.pause_reading()
        ecm = request(bytes(1), share_id=next(iter(client.cards)))

        def is_cut() -> bool:
            for _ in range(0 if connection.is_closed else 200):
                client.protocol.ask(1, ecm, 0.0)
                client.protocol._asked.clear()
            connection.flush()
            return not lab.server._context.seats

        await until(is_cut, seconds=30.0)


async def test_only_allowed_networks_hear_anything() -> None:
    async with running() as lab:
        lab.server._context.admission._admits = lambda address: False
        reader, writer = await raw_connection(lab)
        async with asyncio.timeout(2.0):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
        assert lab.server._context.admission.refused == 1


async def test_a_reload_touches_only_what_changed() -> None:
    async with (
        running("F: anna secret\nF: ben secret\nF: carl secret") as lab,
        lab.client("anna") as anna,
        lab.client("ben") as ben,
        lab.client("carl") as carl,
    ):
        for client in (anna, ben, carl):
            await cards_of(client)
        cfg = "# a line moved everything down\nF: anna secret\nF: carl secret 0 0 0 { 0:0:0 }"
        await lab.server.reload(setup(cfg, TEST_CARD, port=lab.port))
        assert await carl.wait_until(lambda: not carl.cards, timeout=10.0)
        assert await ben.wait_until(lambda: ben.closed is not None, timeout=10.0)
        assert anna.closed is None
        assert len(anna.cards) == 1
        assert carl.closed is None


async def test_a_new_port_that_is_taken_leaves_the_old_one_open() -> None:
    async with running() as lab:
        with socket.create_server((HOST, 0)) as holder:
            taken = holder.getsockname()[1]
            await lab.server.reload(setup("F: anna secret", TEST_CARD, port=taken))
            (problem,) = lab.server.snapshot().config.problems
            assert problem.kind is ConfigProblemKind.NOT_DONE
            assert "taken by " in problem.text
            assert problem.line == 1
            async with lab.client() as client:
                await cards_of(client)
        await lab.server.reload(setup("F: anna secret", TEST_CARD, port=taken))
        assert lab.server.ports == [taken]
        assert not lab.server.snapshot().config.problems


async def test_a_long_card_list_comes_in_slices_and_whole() -> None:
    cards = "".join(
        f'[[card]]\nkind = "test"\nname = "c{n}"\ncaid = "{n:04X}"\n' for n in range(1, 900)
    )
    async with running(toml=cards) as lab, lab.client() as client:
        assert len(await cards_of(client, 899)) == 899


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        sock.listen()
        with pytest.raises(ListenError, match=r"taken by .* \(process \d+"):
            async with running(port=sock.getsockname()[1]):
                pass


@pytest.mark.parametrize("host", ["no.such.invalid", "a..b", "x" * 70 + ".example"])
async def test_a_name_that_leads_nowhere_is_named(host: str) -> None:
    target = Target(host=host, port=12000, user=b"a", password=b"b")
    with pytest.raises(ConnectError) as caught:
        await connect(target)
    assert caught.value.step is Step.RESOLVE


async def test_a_server_that_says_nothing_is_named() -> None:
    with socket.create_server((HOST, 0)) as silent:
        port = silent.getsockname()[1]
        target = Target(host=HOST, port=port, user=b"a", password=b"b", login_timeout=0.2)
        with pytest.raises(ConnectError) as caught:
            await connect(target)
    assert caught.value.step is Step.SEED
