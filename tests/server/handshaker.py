"""A client that can stop at any step of its login, and say anything there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from laboratory import HOST, Laboratory, new_node_id

from cccamd.ids import NodeId
from cccamd.wire.cccam.cipher import Cipher
from cccamd.wire.cccam.frames import Command, serialize_frame
from cccamd.wire.cccam.handshake import PASSWORD_CHECK, derive_keys, pack_user
from cccamd.wire.cccam.messages import ClientData


class Handshaker:
    """One connection; each method says one thing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._cipher: Cipher
        self._heard: Cipher

    @classmethod
    @asynccontextmanager
    async def calling(cls, lab: Laboratory) -> AsyncIterator["Handshaker"]:
        reader, writer = await asyncio.open_connection(HOST, lab.port)
        caller = cls(reader, writer)
        keys = derive_keys(await reader.readexactly(16))
        caller._cipher, caller._heard = keys.client_to_server, keys.server_to_client
        caller._proof = keys.proof
        try:
            yield caller
        finally:
            writer.close()

    _proof: bytes

    def prove(self, proof: bytes | None = None) -> "Handshaker":
        self._writer.write(self._cipher.encrypt(proof or self._proof))
        return self

    def name(self, user: str) -> "Handshaker":
        self._writer.write(self._cipher.encrypt(pack_user(user.encode())))
        return self

    def show_password(self, password: str = "secret") -> "Handshaker":
        self._cipher.encrypt(password.encode())
        self._writer.write(self._cipher.encrypt(PASSWORD_CHECK))
        return self

    def log_in(self, user: str = "anna", password: str = "secret") -> "Handshaker":
        return self.prove().name(user).show_password(password)

    def introduce(self, version: str = "2.3.0", node_id: NodeId | None = None) -> "Handshaker":
        who = ClientData(
            user=b"anna", node_id=node_id or new_node_id(), version=version, build="3367"
        )
        return self.send(Command.CLIENT_DATA, who.serialize())

    def send(self, command: int, payload: bytes) -> "Handshaker":
        self._writer.write(self._cipher.encrypt(serialize_frame(0, command, payload)))
        return self

    def write(self, data: bytes) -> "Handshaker":
        self._writer.write(self._cipher.encrypt(data))
        return self

    def leave(self) -> None:
        self._writer.close()

    async def accepted(self) -> bool:
        """Whether the login is answered."""
        async with asyncio.timeout(10.0):
            answer = await self._reader.read(20)
        return self._heard.decrypt(answer)[:5] == b"CCcam"

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: its command and payload."""
        async with asyncio.timeout(10.0):
            head = self._heard.decrypt(await self._reader.readexactly(4))
            body = await self._reader.readexactly(int.from_bytes(head[2:]))
        return head[1], self._heard.decrypt(body)

    async def closed(self) -> None:
        """Wait for the end."""
        async with asyncio.timeout(10.0):
            while await self._reader.read(4096):
                pass
