"""Links between paired servers: who gets in, who does not, and what strangers cost."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from peer import HOST, PLAIN_NODE, Line, Lines, Peer, no_socket_left, unexpected, until

from cccamd.facts import Step
from cccamd.lab.ports import free_port
from cccamd.net import (
    Admission,
    AdmissionLimits,
    ConnectError,
    Connection,
    FairPlay,
    Link,
    LinkWaiting,
    Listener,
    TaskSet,
    TlsCall,
    TlsDoor,
    loop_factory,
    tls,
)
from cccamd.net.dial import dial
from cccamd.setup.pairing import Pairing
from cccamd.wire.cccam import DEFAULT_VERSION, Caller, Identity, Target
from cccamd.wire.keycodes import format_key_code
from cccamd.wire.link import Closed, CloseReason


class Side:
    """A program with a key, whose connections are toys that note what is said."""

    def __init__(self, folder: Path) -> None:
        self.pairing = Pairing(folder)
        self.code = self.pairing.own_code()
        self.said: list[bytes] = []
        self.ends: list[Closed] = []
        self.made: list[Connection[Any]] = []

    def make(self) -> Connection[Any]:
        made: Connection[Any] = Connection(
            Lines(),  # type: ignore[arg-type]
            self._handle,
            on_failure=unexpected,
            fair=FairPlay(),
        )
        self.made.append(made)
        return made

    def _handle(self, event: object) -> None:
        if isinstance(event, Line):
            self.said.append(event.text)
        elif isinstance(event, Closed):
            self.ends.append(event)

    async def call(self, port: int, name: str = "server") -> Connection[Any]:
        return await dial(HOST, port, self.make, tls=TlsCall(self.pairing, name))


class House(Side):
    """One that listens."""

    def __init__(self, folder: Path, *, pending: int = 20) -> None:
        super().__init__(folder)
        limits = AdmissionLimits(connections=20, pending_logins=pending)
        self.admission = Admission[Any](limits, admits=lambda address: True)
        self.tasks = TaskSet(on_failure=unexpected)
        self.door = TlsDoor(self.pairing, tasks=self.tasks)
        self.listener = Listener(
            self.admission,
            make_guest=self.make,
            on_refused=lambda address, why: unexpected(address, AssertionError(why)),
            on_failure=unexpected,
            hand_over=self.door.hand_over,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        self.door.prepare()
        await self.listener.open([HOST], 0)
        try:
            yield self.listener.ports[0]
        finally:
            await self.listener.close()
            self.listener.dismiss(CloseReason.SHUTDOWN)
            await self.tasks.cancel()
            await until(lambda: self.admission.connections == 0)  # each place is given back


@pytest.fixture
async def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


@pytest.fixture
async def caller(tmp_path: Path, house: House) -> Side:
    """It and the house know each other."""
    side = Side(tmp_path / "caller")
    side.pairing.pair("server", house.code)
    house.pairing.pair("caller", side.code)
    return side


async def test_paired_servers_know_who_the_other_is(
    house: House, caller: Side, caplog: pytest.LogCaptureFixture
) -> None:
    async with house.open() as port:
        connection = await caller.call(port)
        await until(lambda: bool(house.made) and house.made[0].paired is not None)
        guest = house.made[0]
        assert (connection.paired, guest.paired) == (
            ("server", house.code),
            ("caller", caller.code),
        )
        assert connection.address == guest.address == HOST
        secure = connection._transport.get_extra_info("ssl_object")  # type: ignore[union-attr]
        assert secure.version() == "TLSv1.3"
        assert not secure.session.has_ticket, "each link has fresh secrets"
        for each in (connection, guest):
            each.protocol.say(b"x" * 100_000)  # type: ignore[attr-defined]
            each.flush()
        await until(lambda: bool(house.said) and bool(caller.said))
        assert house.said == caller.said == [b"x" * 100_000]
        await until(guest.is_acknowledged)
        connection.close()
        await until(lambda: house.ends == [Closed(CloseReason.PEER_CLOSED)])
    assert not caplog.records, "asyncio complains of what a TLS transport cannot do"


async def test_another_machine_in_its_place_hears_nothing(
    house: House, caller: Side, tmp_path: Path
) -> None:
    """It may have paired the caller, and know everything but the secret key."""
    impostor = House(tmp_path / "impostor")
    impostor.pairing.pair("caller", caller.code)
    async with impostor.open() as port:
        with pytest.raises(ConnectError, match="not the key that was paired as server on 20") as e:
            await caller.call(port)
        assert e.value.step is Step.OTHER_KEY
        assert format_key_code(impostor.code) in str(e.value)
        assert not caller.made, "no protocol object was even made"
        caller.pairing.pair("server", impostor.code, replace=True)
        (await caller.call(port)).close()


async def test_a_key_that_is_not_paired_is_told_by_its_code(house: House, caller: Side) -> None:
    house.pairing.forget("caller")
    async with house.open() as port:
        await caller.call(port)  # TLS 1.3: it cannot know yet
        await until(lambda: bool(house.ends) and bool(caller.ends))
        (end,) = house.ends
        assert end.reason is CloseReason.KEY_UNKNOWN
        assert format_key_code(caller.code) in end.detail
        house.pairing.pair("caller", caller.code)
        connection = await caller.call(port)
        await until(lambda: house.made[-1].paired is not None)
        connection.close()
    caller.pairing.forget("server")
    with pytest.raises(ConnectError, match="cccamd pair server CODE"):
        await caller.call(port)


async def openssl(port: int, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-connect", f"{HOST}:{port}", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return output.decode()


async def self_signed(folder: Path) -> Path:
    """A certificate of the usual kind, which vouches for itself."""
    path = folder / "stranger.pem"
    process = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-keyout", path, "-out", folder / "cert.pem", "-subj", "/CN=x"),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
    path.write_text(path.read_text() + (folder / "cert.pem").read_text())
    return path


async def test_strangers_are_told_from_each_other(house: House, tmp_path: Path) -> None:
    certificate = await self_signed(tmp_path)
    async with house.open() as port:
        for arguments, said in (
            (["-tls1_3"], "it shows no key"),
            (["-tls1_2"], "it does not speak TLS 1.3"),
            (["-tls1_3", "-cert", str(certificate), "-key", str(certificate)], "none that cccamd"),
        ):
            house.ends.clear()
            assert "CONNECTED" in await openssl(port, *arguments)
            await until(lambda: bool(house.ends))
            assert house.ends[0].reason is CloseReason.NO_TLS
            assert said in house.ends[0].detail
        house.ends.clear()
        _, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: bool(house.ends))
        assert "something else than TLS" in house.ends[0].detail
        writer.close()
    assert not house.said


async def test_who_only_shows_a_certificate_of_somebody_else_is_not_that(
    house: House, caller: Side, tmp_path: Path
) -> None:
    """A certificate is public: without its secret key the handshake cannot be finished."""
    mine = Pairing(tmp_path / "mine")
    mine.own_code()
    stolen = caller.pairing.key_path.read_text().partition("-----BEGIN CERTIFICATE")
    own_key = mine.key_path.read_text().partition("-----BEGIN CERTIFICATE")[0]
    mixed = tmp_path / "mixed.pem"
    mixed.write_text(own_key + "".join(stolen[1:]))
    with pytest.raises(ssl.SSLError, match="key values mismatch"):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(mixed)
    async with house.open() as port:
        output = await openssl(port, "-tls1_3", "-cert", str(mixed), "-key", str(mixed))
        assert "mismatch" in output
    assert not [each for each in house.made if each.paired]


async def test_what_is_no_tls_server_is_told(caller: Side) -> None:
    async def greets(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(range(16)))  # a seed
        await asyncio.sleep(0.05)

    async def hangs_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    for talk, said in ((greets, "something else than TLS"), (hangs_up, "hung up during")):
        async with Peer(talk).serving() as port:
            with pytest.raises(ConnectError, match=said) as error:
                await caller.call(port)
            assert error.value.step is Step.TLS
    with pytest.raises(ConnectError) as error:
        await caller.call(free_port())
    assert error.value.step is Step.REFUSED
    assert not caller.made


async def test_silence_ends_on_both_sides(
    house: House, caller: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_TIMEOUT", 0.2)
    async with house.open() as port:
        _, writer = await asyncio.open_connection(HOST, port)
        await until(lambda: bool(house.ends))
        assert "what does not speak TLS waits like this" in house.ends[0].detail
        writer.close()
    async with Peer().serving() as port:
        with pytest.raises(ConnectError, match=r"no handshake within 0\.2 s"):
            await caller.call(port)


async def test_a_handshake_that_is_dropped_before_its_first_step_leaves_nothing(
    house: House,
) -> None:
    with no_socket_left():
        async with house.open() as port:
            _, writer = await asyncio.open_connection(HOST, port)
            while not (begun := _handshakes()):
                await asyncio.sleep(0)
            begun[0].cancel()
        writer.close()
        await asyncio.sleep(0.01)


def _handshakes() -> list[asyncio.Task[Any]]:
    return [each for each in asyncio.all_tasks() if "TLS handshake with" in each.get_name()]


async def test_a_flood_of_the_silent_is_bounded_and_holds_nobody_up(
    caller: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each costs a turn of its own address; the oldest are pushed out before TLS begins."""
    monkeypatch.setattr(tls, "HANDSHAKES_A_SECOND", 20)
    house = House(tmp_path / "house", pending=30)  # the same key, another door
    async with house.open() as port:
        silent = []
        for _ in range(60):
            sock = socket.socket()
            silent.append(sock)
            sock.setblocking(False)
            sock.bind(("127.0.0.2", 0))
            await asyncio.get_running_loop().sock_connect(sock, (HOST, port))
        await until(lambda: len(house.made) == 60)
        assert house.admission.connections == 30
        began = asyncio.get_running_loop().time()
        connection = await caller.call(port)
        assert asyncio.get_running_loop().time() - began < 0.5, "60 turns would take 3 s"
        await until(lambda: house.made[-1].paired is not None)
        connection.close()
        for sock in silent:
            sock.close()


async def test_a_link_is_told_that_it_is_not_known_there(house: House, caller: Side) -> None:
    """It gets through the handshake, which is not the end of it in TLS 1.3."""
    house.pairing.forget("caller")
    waiting: list[LinkWaiting] = []
    target = Target(host=HOST, port=1, user=b"u", password=b"p", version=DEFAULT_VERSION)
    async with house.open() as port:
        link = Link(
            HOST,
            port,
            Caller(target, Identity(PLAIN_NODE, "test")),
            handle=lambda event: waiting.append(event) if isinstance(event, LinkWaiting) else None,
            on_failure=unexpected,
            tls=TlsCall(caller.pairing, "server"),
        )
        running = asyncio.get_running_loop().create_task(link.run())
        await until(lambda: bool(waiting))
        assert waiting[0].failure.step is Step.NOT_PAIRED
        assert f"there: cccamd pair NAME {format_key_code(caller.code)}" in waiting[0].failure.text
        running.cancel()


async def test_a_key_that_cannot_be_used_is_told(house: House, caller: Side) -> None:
    caller.pairing.key_path.unlink()
    async with house.open() as port:
        with pytest.raises(ConnectError, match=r"own key cannot be used \(No such file") as error:
            await caller.call(port)
        assert error.value.step is Step.NOT_PAIRED


def test_nothing_is_lost_of_who_waits_in_the_loop_that_the_server_has(tmp_path: Path) -> None:
    """What a caller says comes while its turn is not yet; uvloop reads on after `pause_reading`."""

    async def many_call() -> None:
        house, caller = House(tmp_path / "house"), Side(tmp_path / "caller")
        caller.pairing.pair("server", house.code)
        house.pairing.pair("caller", caller.code)
        async with house.open() as port:
            calls = await asyncio.gather(*(caller.call(port) for _ in range(15)))
            await until(lambda: sum(guest.paired is not None for guest in house.made) == 15)
            for connection in calls:
                connection.close()
            await until(lambda: not house.admission.connections)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(many_call())
