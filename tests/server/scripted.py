"""A CCcam server whose every answer a test decides, on a real socket."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from unittest.mock import patch

from laboratory import HOST, expected_cw, new_node_id

from cccamd.ids import Caid, Ident, ShareId
from cccamd.lab.ports import free_port
from cccamd.net import Connection
from cccamd.values import ControlWords, Emm, Offer, Provider, Refusal, Request
from cccamd.wire.cccam import ServerProtocol
from cccamd.wire.cccam.frames import Command
from cccamd.wire.cccam.messages import parse_emm
from cccamd.wire.cccam.server import _RULES as RULES
from cccamd.wire.link import EmmReceived, LoginRequested, OffersDue, Requested

Answer = ControlWords | Refusal | None


def right(request: Request) -> ControlWords:
    """The answer of the test card."""
    return expected_cw(request.section)


def mute(request: Request) -> None:
    """None at all."""


class ScriptedServer:
    def __init__(
        self, answer: Callable[[Request], Answer], *, thankful: bool = True, port: int = 0
    ) -> None:
        self.answer = answer
        self.asked: list[tuple[int, Request]] = []
        self.emms: list[Emm] = []
        self.port = port or free_port()
        self.thankful = thankful
        """Whether it acknowledges EMMs: some servers don't."""
        self.pause = 0.0
        """Seconds that it takes for an answer."""
        self._node_id = new_node_id()
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        protocol = ServerProtocol(
            node_id=self._node_id,
            program="scripted",
            random=os.urandom(12),
            now=asyncio.get_running_loop().time(),
        )
        self._connection = Connection(protocol, self._handle, on_failure=self._fail)
        return self._connection

    @property
    def protocol(self) -> ServerProtocol:
        assert self._connection is not None
        protocol = self._connection.protocol
        assert isinstance(protocol, ServerProtocol)
        return protocol

    def _fail(self, name: str, error: BaseException) -> None:
        raise AssertionError(name) from error

    def _handle(self, event: object) -> None:
        match event:
            case LoginRequested():
                self.protocol.authenticate(b"secret")
            case OffersDue():
                self.offer(1)
            case Requested(token, request):
                self.asked.append((token, request))
                answer = self.answer(request)
                if answer is not None and self.pause:
                    asyncio.get_running_loop().call_later(self.pause, self.give, token, answer)
                elif answer is not None:
                    self.give(token, answer)
            case EmmReceived(emm):
                self.emms.append(emm)

    def offer(self, share_id: int) -> None:
        self.protocol.announce(
            Offer(
                share_id=ShareId(share_id),
                remote_id=share_id,
                caid=Caid(0x7F00),
                hop=0,
                reshare=2,
                ua=b"\0\0\0\0\x12\x34\x56\x78",
                providers=(Provider(Ident(0x0A)),),
                path=(self._node_id,),
            )
        )
        self._flush()

    def withdraw(self, share_id: int) -> None:
        self.protocol.withdraw(ShareId(share_id))
        self._flush()

    def give(self, token: int, answer: ControlWords | Refusal) -> None:
        if isinstance(answer, ControlWords):
            self.protocol.answer(token, answer)
        else:
            self.protocol.refuse(token, answer)
        self._flush()

    def _flush(self) -> None:
        assert self._connection is not None
        self._connection.flush()


@asynccontextmanager
async def scripted(
    answer: Callable[[Request], Answer], *, thankful: bool = True, port: int = 0
) -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(answer, thankful=thankful, port=port)
    listening = await asyncio.get_running_loop().create_server(server.connection, HOST, server.port)
    rule = RULES[Command.EMM]

    def take(protocol: ServerProtocol, payload: bytes, flag: int) -> None:
        if server.thankful or protocol is not server.protocol:
            rule.handle(protocol, payload, flag)
        else:
            server.emms.append(parse_emm(payload))

    try:
        with patch.dict(RULES, {Command.EMM: rule._replace(handle=take)}):
            yield server
    finally:
        listening.close()
        if server._connection is not None:
            server._connection.close()
