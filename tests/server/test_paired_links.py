"""Two servers that were paired by the command: ECMs go through TLS, and through nothing else."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from laboratory import HOST, TEST_CARD, ask, cards_of, connect, expected_cw, setup
from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.facts import LinkState, Step
from cccamd.lab.ports import free_port
from cccamd.net import ConnectError, Link
from cccamd.server import Server
from cccamd.setup.pairing import Pairing
from cccamd.why import Question
from cccamd.wire.cccam import DEFAULT_VERSION, Target
from cccamd.wire.link import ClientSide

ECM = b"\x80\x30" + bytes(50)


def pair(folder: Path, *arguments: str) -> str:
    line = ["pair", "-n", str(folder / "node-id"), *arguments]
    result = CliRunner().invoke(command_line(line), line)
    assert result.exit_code == 0, result.output
    return result.output


def code(folder: Path) -> str:
    found = re.search(r"code:   (\S+)", pair(folder))
    assert found is not None
    return found[1]


@dataclass
class Pair:
    """The server with the card, and the one with the C-line."""

    attic: Server
    house: Server
    attic_folder: Path
    house_folder: Path
    plain_port: int
    tls_port: int
    house_port: int

    @staticmethod
    def target(port: int, user: bytes, password: bytes) -> Target:
        return Target(host=HOST, port=port, user=user, password=password, version=DEFAULT_VERSION)

    @property
    def link(self) -> Link[ClientSide]:
        ((_, source),) = self.house._upstreams.sources()
        return source.link

    async def is_up(self, *, up: bool = True) -> None:
        async with asyncio.timeout(20):
            while self.link.is_up is not up:
                await asyncio.sleep(0.01)

    async def ask(self, ecm: bytes = ECM) -> object:
        """A receiver at the house asks for what only the attic can decode."""
        target = self.target(self.house_port, b"anna", b"secret")
        client = await connect(target)
        try:
            assert await cards_of(client) == [0x7F00]
            return await ask(client, ecm)
        finally:
            await client.close()

    async def log_in_plainly(self) -> None:
        target = self.target(self.plain_port, b"house", b"deep")
        await (await connect(target)).close()


@asynccontextmanager
async def running(folder: Path, *, told: bool = True) -> AsyncIterator[Pair]:
    attic_folder, house_folder = folder / "attic", folder / "house"
    pair(attic_folder, "house", code(house_folder))
    if told:
        pair(house_folder, "attic", code(attic_folder))
    plain_port, tls_port, house_port = free_port(), free_port(), free_port()
    attic_toml = f'{TEST_CARD}[tls]\nport = {tls_port}\n[[account]]\nuser = "house"\n'
    house_toml = f'[[upstream]]\nhost = "{HOST}"\nport = {plain_port}\nuser = "house"\n'
    attic = Server(
        setup("F: house deep", f'{attic_toml}paired = "house"', port=plain_port),
        pairing=Pairing(attic_folder),
    )
    house = Server(
        setup(
            f"F: anna secret\nC: {HOST} {plain_port} house deep",
            f'{house_toml}paired = "attic"\ntls_port = {tls_port}',
            port=house_port,
        ),
        pairing=Pairing(house_folder),
    )
    await attic.start()
    await house.start()
    try:
        yield Pair(attic, house, attic_folder, house_folder, plain_port, tls_port, house_port)
    finally:
        await house.stop()
        await attic.stop()


async def test_ecms_go_through_the_protected_link_and_it_shows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "cccamd")
    async with running(tmp_path) as both:
        await both.is_up()
        assert await both.ask() == expected_cw(ECM)
        assert both.link.paired is not None
        assert both.link.paired.name == "attic"
        (client,), (source,) = both.attic.snapshot().clients, both.house.snapshot().sources
        assert (client.paired, source.paired) == ("house", "attic")
        assert [line for line in caplog.messages if line.endswith("; by TLS, paired as attic")]
        assert [line for line in caplog.messages if line.endswith("; by TLS, paired as house")]
        explained = both.attic.explain(Question(account="house"))
        assert "by TLS, paired as house" in explained.findings[0].text


async def test_who_is_pushed_out_before_tls_has_an_address_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port, tls_port = free_port(), free_port()
    toml = f"[tls]\nport = {tls_port}\n[limits]\nmax_pending_logins = 1\n"
    server = Server(setup("", toml, port=port), pairing=Pairing(tmp_path))
    await server.start()
    try:
        async with asyncio.timeout(10):
            first, writer = await asyncio.open_connection(HOST, tls_port)
            _, second = await asyncio.open_connection(HOST, tls_port)
            await first.read()
    finally:
        await server.stop()
    ours = f"{HOST}:{writer.get_extra_info('sockname')[1]}"
    writer.close(), second.close()
    assert f"{ours}: no login: newer logins needed its place" in caplog.messages


async def test_its_account_is_of_no_use_without_tls(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path) as both:
        await both.is_up()
        with pytest.raises(ConnectError):
            await both.log_in_plainly()
    said = 'paired = "house", and it came without TLS'
    assert [line for line in caplog.messages if said in line and "house@127.0.0.1" in line]


async def test_what_is_paired_and_forgotten_counts_in_a_running_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "cccamd")
    monkeypatch.setattr("cccamd.server.paired.LOOK_INTERVAL", 0.05)
    async with running(tmp_path, told=False) as both:
        await both.is_up(up=False)
        async with asyncio.timeout(10.0):
            while both.link.state is not LinkState.WAITING or both.link.failure is None:
                await asyncio.sleep(0.01)
        assert both.link.failure.step is Step.NOT_PAIRED
        heading = f'[[upstream]] {HOST} {both.plain_port} user "house"'
        advice = f"{heading}: no server is paired as attic: cccamd pair attic CODE"
        assert caplog.messages.count(advice) == 1
        pair(both.house_folder, "attic", code(both.attic_folder))
        await both.is_up()
        pair(both.attic_folder, "--forget", "house")
        await both.is_up(up=False)
        assert [line for line in caplog.messages if "its key is not paired any more" in line]


async def test_a_paired_upstream_is_never_called_without_its_key(tmp_path: Path) -> None:
    """Whatever answers at the address: the password is not sent before the key is proved."""
    heard: list[bytes] = []

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(range(16)))  # looks like a CCcam server
        heard.append(await reader.read(500))
        writer.close()

    house_folder = tmp_path / "house"
    pair(house_folder, "attic", code(tmp_path / "attic"))
    fake = await asyncio.start_server(listens, HOST, 0)
    port = fake.sockets[0].getsockname()[1]
    house = Server(
        setup(
            f"C: {HOST} {port} house deep",
            f'[[upstream]]\nhost = "{HOST}"\nport = {port}\nuser = "house"\npaired = "attic"',
            port=free_port(),
        ),
        pairing=Pairing(house_folder),
    )
    await house.start()
    ((_, source),) = house._upstreams.sources()
    async with asyncio.timeout(10.0):
        while source.link.failure is None:
            await asyncio.sleep(0.01)
    assert source.link.failure.step is Step.TLS
    await house.stop()
    fake.close()
    assert heard[0][:1] == b"\x16", "a TLS ClientHello, and nothing else"


async def test_an_account_that_is_tied_to_a_key_by_a_reload_ends_its_old_links(
    tmp_path: Path,
) -> None:
    port = free_port()
    server = Server(setup("F: house deep", TEST_CARD, port=port), pairing=Pairing(tmp_path))
    await server.start()
    client = await connect(Pair.target(port, b"house", b"deep"))
    toml = f'{TEST_CARD}[[account]]\nuser = "house"\npaired = "house"'
    await server.reload(setup("F: house deep", toml, port=port))
    assert await client.wait_until(lambda: client.closed is not None, timeout=10.0)
    await server.stop()
