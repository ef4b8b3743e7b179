"""The client of the demonstration, over TCP, and a small server made of the protocol object."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cccamd.errors import CccamdError
from cccamd.ids import Caid, ShareId, Sid
from cccamd.lab.demo import client as demo_client
from cccamd.lab.demo.client import connect
from cccamd.lab.demo.server import HOST, USER, DemoServer
from cccamd.net import Connection
from cccamd.values import ControlWords, Offer, Provider, Refusal
from cccamd.wire.cccam import (
    ServerProtocol,
    make_node_id,
)
from cccamd.wire.link import CloseReason, EmmReceived, LoginRequested, OffersDue, Requested

CAID, SHARE_ID, SID = Caid(0x7F00), ShareId(0x6A), Sid(0x17)
CW = ControlWords(bytes(range(16)))
PASSWORD = "secret"


def fail_loudly(name: str, error: BaseException) -> None:
    raise error


class SmallServer:
    """One login; answers ECM 80... with `CW`, refuses 81..., closes at 82..."""

    def __init__(self) -> None:
        self.caid = CAID
        self.emms: list[bytes] = []
        self.requests: list[tuple[int, int, int]] = []
        protocol = ServerProtocol(
            node_id=make_node_id(b"serv"),
            program="small",
            random=bytes(12),
            now=asyncio.get_running_loop().time(),
        )
        self.connection = Connection(protocol, self.handle, on_failure=fail_loudly)

    def handle(self, event: object) -> None:
        protocol = self.connection.protocol
        match event:
            case LoginRequested(user) if user == USER.encode():
                protocol.authenticate(PASSWORD.encode())
            case OffersDue():
                card = Offer(
                    share_id=SHARE_ID,
                    remote_id=1,
                    caid=self.caid,
                    hop=0,
                    reshare=0,
                    providers=(Provider(ident=0),),  # type: ignore[arg-type]
                )
                protocol.announce(card)
            case Requested(request_id, request):
                self.requests.append((request.caid, request.share_id, request.sid))
                self.decode(request_id, request.section[0])
            case EmmReceived(emm):
                self.emms.append(emm.section)

    def decode(self, request_id: int, table_id: int) -> None:
        protocol = self.connection.protocol
        if table_id == 0x80:
            protocol.answer(request_id, CW)
        elif table_id == 0x81:
            protocol.refuse(request_id, Refusal.CANNOT_DECODE)
        else:
            protocol.close(CloseReason.LOCAL)


@asynccontextmanager
async def listening(small: SmallServer) -> AsyncIterator[DemoServer]:
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: small.connection, HOST, 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        yield make_server(port)
        small.connection.close()


def make_server(port: int, *, returncode: int | None = None, log: Path = Path()) -> DemoServer:
    process = cast(Any, SimpleNamespace(returncode=returncode))
    return DemoServer(port, PASSWORD, process, log)


async def test_ask_a_card_through_a_server() -> None:
    small = SmallServer()
    async with listening(small) as server, connect(server, caid=CAID) as client:
        assert await client.ask(b"\x80ecm", caid=CAID, sid=SID) == CW
        assert await client.ask(b"\x81ecm", caid=CAID, sid=SID) is None
        await client.send_emm(b"\x82emm", caid=CAID)
    assert small.requests == [(CAID, SHARE_ID, SID)] * 2
    assert small.emms == [b"\x82emm"]


async def test_a_lost_connection_is_explained() -> None:
    async with listening(SmallServer()) as server, connect(server, caid=CAID) as client:
        with pytest.raises(CccamdError, match="connection to the server was lost"):
            await client.ask(b"\x82ecm", caid=CAID, sid=SID)


async def test_a_server_without_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_client, "CARD_TIMEOUT", 0.05)
    small = SmallServer()
    small.caid = Caid(0x0B00)
    async with listening(small) as server:
        with pytest.raises(CccamdError, match="no card of CAID 7F00"):
            async with connect(server, caid=CAID):
                pass


async def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_client, "START_TIMEOUT", 0.2)
    with pytest.raises(CccamdError, match="cannot log in to the server: connection refused"):
        async with connect(make_server(1), caid=CAID):
            pass


async def test_a_server_that_has_ended_is_quoted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {i}\n" for i in range(9)))
    with pytest.raises(CccamdError, match=r"(?s)the server has ended:\nline 4\n.*line 8$"):
        async with connect(make_server(1, returncode=1, log=log), caid=CAID):
            pass
