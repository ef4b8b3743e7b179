"""A real broker, mosquitto, and somebody who listens there."""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from cccamd.lab.ports import free_port

PROGRAM = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
needs_mosquitto = pytest.mark.skipif(
    PROGRAM is None, reason="mosquitto is not installed (apt-get install mosquitto)"
)
PATIENCE = 20.0


class Broker:
    """One broker. It keeps nothing over a restart."""

    def __init__(self, folder: Path, lines: str) -> None:
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        self._file.write_text(f"listener {self.port} 127.0.0.1\n{lines}\n")
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        assert PROGRAM is not None
        self._process = subprocess.Popen(
            [PROGRAM, "-c", self._file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(PATIENCE):
            while not self._listens():
                assert self._process.poll() is None, "mosquitto ended"
                await asyncio.sleep(0.01)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


class Listener:
    """Hears all topics."""

    def __init__(self) -> None:
        self.has: dict[str, bytes] = {}
        """What the broker retains, as far as it was heard."""
        self.count = 0
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda *_: self.client.subscribe("#", qos=1)
        self.client.on_message = self._heard

    def _heard(self, _client: object, _data: object, message: Any) -> None:
        self.count += 1
        if message.payload:
            self.has[message.topic] = message.payload
        else:
            self.has.pop(message.topic, None)

    def value(self, topic: str, key: str) -> Any:
        return json.loads(self.has.get(topic, b"{}")).get(key)

    def tell(self, topic: str, payload: str, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE)

    async def until(self, reached: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not reached():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"it did not happen; there is {self.has}") from None


@asynccontextmanager
async def broker(folder: Path, lines: str = "allow_anonymous true") -> AsyncIterator[Broker]:
    made = Broker(folder, lines)
    await made.start()
    try:
        yield made
    finally:
        made.kill()


@asynccontextmanager
async def listening(at: Broker, user: str = "", password: str = "") -> AsyncIterator[Listener]:
    made = Listener()
    if user:
        made.client.username_pw_set(user, password)
    await asyncio.to_thread(made.client.connect, "127.0.0.1", at.port)
    made.client.loop_start()
    try:
        yield made
    finally:
        made.client.disconnect()
        await asyncio.to_thread(made.client.loop_stop)
