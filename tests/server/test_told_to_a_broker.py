"""A whole cccamd tells a real broker what goes on."""

import asyncio
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from laboratory import HOST, Laboratory, ask, cards_of, setup

from cccamd.lab.ports import free_port
from cccamd.mqtt import careful
from cccamd.server import Server, symptoms
from cccamd.setup import secretfile
from cccamd.setup.setup import Setup, Sources
from cccamd.watch import incidents
from certificates import self_signed
from mosquitto import broker, listening, needs_mosquitto
from talking import talking

pytestmark = needs_mosquitto
CARD = '[[card]]\nkind = "test"\ncaid = "7F00"\nproviders = ["00000A"]\nname = "attic"\n'
TWO = "F: anna secret\nF: ben secret\n"
BASE = "cccamd/tv"
ANNA = f"{BASE}/receiver/anna"
ANNAS_DOCUMENT = "homeassistant/device/cccamd_tv_receiver_anna/config"


def asked(
    port: int, words: str = "", *, cfg: str = TWO, own: int = 0, node: Setup | None = None
) -> Setup:
    """A setup that looks every 20th of a second, which no file may say."""
    host = "" if "host" in words else f'host = "{HOST}"'
    toml = f'[mqtt]\n{host}\nport = {port}\nname = "tv"\n{words}\n{CARD}'
    made = setup(cfg, toml, port=own or free_port(), node_id=node.node_id if node else None)
    return replace(made, toml=replace(made.toml, mqtt=replace(made.toml.mqtt, interval=0.05)))


@asynccontextmanager
async def serving(made: Setup) -> AsyncIterator[Laboratory]:
    server = Server(made)
    await server.start()
    try:
        yield Laboratory(server, made.config.server_listen_port)
    finally:
        await server.stop()


def trouble(lab: Laboratory) -> str:
    problems = lab.server.config_state().problems
    return "".join(each.text for each in problems if "[mqtt]" in each.text)


async def until_trouble(lab: Laboratory, words: str) -> str:
    async with asyncio.timeout(20.0):
        while words not in trouble(lab):
            await asyncio.sleep(0.01)
    return trouble(lab)


async def until_well(lab: Laboratory) -> None:
    async with asyncio.timeout(20.0):
        while trouble(lab):
            await asyncio.sleep(0.01)


async def test_values_follow_what_goes_on_and_at_the_end_it_is_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symptoms, "LOOK_INTERVAL", 0.1)
    monkeypatch.setattr(incidents, "GRACE", 0.2)
    async with broker(tmp_path) as at, listening(at) as heard:
        stale = "homeassistant/device/cccamd_tv_receiver_gone/config"
        heard.tell(stale, "{}", retain=True)
        heard.tell(f"{BASE}/receiver/gone", "{}", retain=True)
        heard.tell("homeassistant/device/other/config", "{}", retain=True)
        await heard.until(lambda: len(heard.has) == 3)
        made = asked(at.port)
        async with serving(made) as lab:
            await heard.until(lambda: heard.has.get(f"{BASE}/status") == b"online")
            await heard.until(lambda: heard.value(ANNA, "connected") == "OFF")
            assert heard.value(f"{BASE}/source/attic", "connected") == "ON"
            assert ANNAS_DOCUMENT in heard.has
            await heard.until(lambda: stale not in heard.has)
            assert f"{BASE}/receiver/gone" not in heard.has
            async with lab.client("anna") as client:
                await cards_of(client)
                await ask(client, b"\x80" + bytes(20))
                await heard.until(lambda: heard.value(ANNA, "connected") == "ON")
                await heard.until(lambda: heard.value(ANNA, "ecms") == 1)
            await heard.until(lambda: heard.value(ANNA, "connected") == "OFF")
            lab.server.carried_out("LOG FILE", "the disk is full")
            await heard.until(lambda: heard.value(f"{BASE}/incidents", "problem") == "ON")
            assert "settings not carried out" in heard.value(f"{BASE}/incidents", "worst")
            lab.server.carried_out("LOG FILE")
            await heard.until(lambda: heard.value(f"{BASE}/incidents", "problem") == "OFF")
            less = asked(at.port, cfg="F: ben secret\n", own=lab.port, node=made)
            await lab.server.reload(less)
            await heard.until(lambda: ANNA not in heard.has and ANNAS_DOCUMENT not in heard.has)
        await heard.until(lambda: heard.has[f"{BASE}/status"] == b"offline")
        assert b"secret" not in b"".join(heard.has.values())
        assert "homeassistant/device/other/config" in heard.has


async def test_a_broker_that_was_killed_is_told_everything_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with broker(tmp_path) as at:
        made = asked(at.port)
        async with serving(made) as lab:
            async with listening(at) as heard:
                await heard.until(lambda: heard.has.get(f"{BASE}/status") == b"online")
                before = set(heard.has)
                await until_well(lab)
                count = heard.count
                heard.tell("homeassistant/status", "online")
                await heard.until(lambda: heard.count >= count + len(before))
            for _ in range(2):
                at.kill()
                await until_trouble(lab, f"[mqtt] the broker {HOST}:{at.port}")
                await at.start()
                async with listening(at) as heard:
                    await heard.until(lambda: set(heard.has) == before)
                await until_well(lab)
        lines = [each for each in caplog.records if each.name == "cccamd.mqtt"]
        assert len(lines) == 1


async def test_when_it_dies_the_broker_says_offline(tmp_path: Path) -> None:
    async with broker(tmp_path) as at, listening(at) as heard, serving(asked(at.port)) as lab:
        await heard.until(lambda: heard.has.get(f"{BASE}/status") == b"online")
        session = lab.server._outward.publisher._session
        assert session is not None
        seen: list[bytes] = []
        heard.client.on_message = lambda _c, _u, message: (
            seen.append(message.payload) if message.topic == f"{BASE}/status" else None
        )
        # No goodbye: as the system does it with a process that is killed.
        session._client.socket().shutdown(socket.SHUT_RDWR)
        await heard.until(lambda: b"offline" in seen)
        await heard.until(lambda: seen[-1] == b"online")


async def test_a_password_of_a_file_and_one_that_is_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = tmp_path / "words"
    words.write_text("tv:hunter2\n")
    subprocess.run(["mosquitto_passwd", "-U", words], capture_output=True, check=True)
    lines = f"allow_anonymous false\npassword_file {words}\nuser root"
    async with broker(tmp_path, lines) as at:
        made = asked(at.port, 'user = "tv"\npassword = "swordfish"')
        async with serving(made) as lab:
            said = await until_trouble(lab, "refuses the login")
            assert "swordfish" not in said + caplog.text
            (tmp_path / "secret").write_text("hunter2\n")
            monkeypatch.setenv(secretfile.CREDENTIALS, str(tmp_path))
            better = asked(
                at.port, 'user = "tv"\npassword_file = "secret"', own=lab.port, node=made
            )
            await lab.server.reload(better)
            async with listening(at, "tv", "hunter2") as heard:
                await heard.until(lambda: heard.has.get(f"{BASE}/status") == b"online")
                await until_well(lab)
                # Another name: nothing stays under the old one.
                other = replace(better.toml.mqtt, name="other")
                await lab.server.reload(replace(better, toml=replace(better.toml, mqtt=other)))
                await heard.until(lambda: heard.has.get("cccamd/other/status") == b"online")
                # Two sessions: what the old one takes away may come after the new one's first word.
                await heard.until(lambda: not [each for each in heard.has if each.startswith(BASE)])
                await heard.until(lambda: ANNAS_DOCUMENT not in heard.has)
        assert "hunter2" not in caplog.text


async def test_the_will_of_a_session_that_the_settings_ended_is_never_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goodbye = careful.CarefulClient.disconnect

    def dawdle(client: careful.CarefulClient) -> None:  # as the library's thread may, beside others
        threading.Timer(0.3, goodbye, (client,)).start()

    monkeypatch.setattr(careful.CarefulClient, "disconnect", dawdle)
    async with broker(tmp_path) as at, listening(at) as heard:
        made = asked(at.port)
        async with serving(made) as lab:
            await heard.until(lambda: heard.has.get(f"{BASE}/status") == b"online")
            seen: list[bytes] = []
            heard.client.message_callback_add(
                f"{BASE}/status", lambda _c, _u, message: seen.append(message.payload)
            )
            other = replace(made.toml.mqtt, name="other")
            await lab.server.reload(replace(made, toml=replace(made.toml, mqtt=other)))
            await heard.until(lambda: heard.has.get("cccamd/other/status") == b"online")
            assert seen == [b""]


async def test_who_says_offline_in_our_place_is_corrected_at_once(tmp_path: Path) -> None:
    async with broker(tmp_path) as at, listening(at) as heard, serving(asked(at.port)):
        await heard.until(lambda: heard.has.get(f"{BASE}/status") == b"online")
        seen: list[bytes] = []
        heard.client.message_callback_add(
            f"{BASE}/status", lambda _c, _u, message: seen.append(message.payload)
        )
        for said in ("offline", ""):
            heard.tell(f"{BASE}/status", said, retain=True)
            await heard.until(lambda said=said: seen[-2:] == [said.encode(), b"online"])


async def test_tls_holds_the_broker_to_its_name(tmp_path: Path) -> None:
    self_signed(tmp_path)
    lines = f"allow_anonymous true\ncertfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem"
    async with broker(tmp_path, f"{lines}\nuser root") as at:
        right = f'host = "localhost"\ntls = true\nca = "{tmp_path}/cert.pem"'
        async with serving(asked(at.port, right)) as lab:
            publisher_of = lab.server._outward.publisher
            async with asyncio.timeout(20.0):
                while publisher_of._session is None:
                    await asyncio.sleep(0.01)
            assert not trouble(lab)
        async with serving(asked(at.port, f'tls = true\nca = "{tmp_path}/cert.pem"')) as lab:
            await until_trouble(lab, "its certificate is not accepted")
        async with serving(asked(at.port, 'host = "localhost"\ntls = true')) as lab:
            await until_trouble(lab, "its certificate is not accepted")
        there = Sources(toml=tmp_path / "cccamd.toml")
        made = asked(at.port, 'host = "localhost"\ntls = true\nca = "none.pem"')
        async with serving(replace(made, sources=there)) as lab:
            await until_trouble(lab, f"{tmp_path}/none.pem cannot be read")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ('host = "203.0.113.7"', "203.0.113.7 is not in a local network"),
        ('user = "tv"\npassword_file = "none"', "none: there is no such file"),
    ],
)
async def test_what_cannot_be_done_is_said(words: str, why: str) -> None:
    async with serving(asked(free_port(), words)) as lab:
        await until_trouble(lab, why)


async def test_the_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    monkeypatch.delitem(sys.modules, "cccamd.mqtt.careful", raising=False)
    async with serving(asked(free_port())) as lab:
        await until_trouble(lab, "pip install 'cccamd[mqtt]'")


async def test_a_broker_that_says_nothing_holds_up_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    came, gone = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await reader.read()  # until the end
        gone.set()

    async with talking(say_nothing) as port:
        async with serving(asked(port)) as lab:
            await came.wait()
            async with lab.client("anna") as client:
                await cards_of(client)
                assert await ask(client, b"\x80" + bytes(20)) is not None
        async with asyncio.timeout(20.0):
            await gone.wait()


@asynccontextmanager
async def broker_that_says(said: bytes, more: bytes = b"", times: int = 0) -> AsyncIterator[int]:
    """Takes any login, and then says this."""

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x02\x00\x00" + said)
        for _ in range(times):
            writer.write(more)
            await writer.drain()
        await reader.read()

    async with talking(welcome) as port:
        yield port


async def test_a_broker_cannot_have_us_collect_a_message_without_an_end() -> None:
    announced = b"\x30\xff\xff\xff\x7f\x00\x01a"
    async with (
        broker_that_says(announced, bytes(1 << 16), 1000) as port,
        serving(asked(port)) as lab,
    ):
        await until_trouble(lab, "it sent a message of 268,435,455 bytes")


async def test_a_broker_that_never_stops_is_read_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    rested = threading.Event()

    def rest(seconds: float) -> None:
        assert 0 < seconds <= 1.0
        rested.set()

    monkeypatch.setattr(careful, "READS_A_SECOND", 100)
    monkeypatch.setattr(careful.time, "sleep", rest)
    nonsense = b"\x30\x03\x00\x01a" * 100
    async with broker_that_says(nonsense, nonsense, 50) as port, serving(asked(port)):
        assert await asyncio.to_thread(rested.wait, 20.0)
