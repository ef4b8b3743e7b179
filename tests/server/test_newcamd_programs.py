"""What real newcamd programs said, said again to a listening server: all of it is answered."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from laboratory import HOST, expected_cw, running, setup

from cccamd.cards import Wish
from cccamd.ids import USUAL_CONFIG_KEY, Caid, Ident, ShareId
from cccamd.lab.ports import free_port
from cccamd.server import newcamd as ports
from cccamd.server.newcamd import LOST_FOR, SETTLING, OneCardShelf
from cccamd.values import ECM_TABLE_IDS, Offer, Provider
from cccamd.wire.link import CloseReason
from cccamd.wire.newcamd import (
    GREETING_LENGTH,
    CardData,
    Command,
    Form,
    Frame,
    Header,
    decipher,
    hash_password,
    login_cipher,
    make_message,
    parse_frame,
    serialize_frame,
    session_cipher,
)

USER, PASSWORD = b"bob", b"builder"
CFG = "F: bob builder 1 1 1"
CARD = '[[card]]\nkind = "test"\ncaid = "0B00"\nproviders = ["000000", "000001"]\n'
FOLDER = Path(__file__).parent.parent / "data" / "sessions"
RECORDED = sorted(FOLDER.glob("newcamd-oscam*-client*.json"))


@dataclass
class Program:
    """A client that says what it is told to, and remembers nothing."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    form: Form = Form.F525
    cipher: Any = None

    async def hear(self) -> Frame:
        async with asyncio.timeout(10.0):
            length = int.from_bytes(await self.reader.readexactly(2))
            body = await self.reader.readexactly(length)
        return parse_frame(decipher(body, self.cipher), self.form)

    def say(self, header: Header, message: bytes) -> None:
        self.writer.write(
            serialize_frame(header, message, form=self.form, cipher=self.cipher, random=os.urandom)
        )

    async def log_in(self, header: Header) -> None:
        greeting = await self.reader.readexactly(GREETING_LENGTH)
        self.cipher = login_cipher(USUAL_CONFIG_KEY, greeting)
        hashed = hash_password(PASSWORD)
        self.say(header, make_message(Command.LOGIN, USER + b"\0" + hashed + b"\0"))
        answer = await self.hear()
        assert (answer.command, answer.header.sequence) == (0xE1, header.sequence)
        self.cipher = session_cipher(USUAL_CONFIG_KEY, hashed)

    async def card(self, number: int = 1) -> CardData:
        self.say(Header(number), make_message(Command.CARD_DATA_REQUEST))
        answer = await self.hear()
        assert (answer.command, answer.header.sequence) == (Command.CARD_DATA, number)
        return CardData.parse(answer.data)

    async def ends(self) -> None:
        async with asyncio.timeout(10.0):
            assert await self.reader.read(1) == b""


@asynccontextmanager
async def program(port: int, form: Form = Form.F525) -> AsyncIterator[Program]:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield Program(reader, writer, form)
    finally:
        writer.close()
        await writer.wait_closed()


def section(text: bytes) -> bytes:
    return b"\x80\x70" + bytes([len(text)]) + text


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_what_oscam_said_is_answered_over_a_socket(path: Path) -> None:
    recorded = json.loads(path.read_text())
    form = Form.F524 if recorded["proto"] == 524 else Form.F525
    said = [
        parse_frame(bytes.fromhex(each["clear_hex"]), form)
        for each in recorded["frames"]
        if each["from"] == "client" and each["wire_hex"]
    ]
    port = free_port()
    async with (
        running(CFG, f"{CARD}[[newcamd]]\nport = {port}\n") as lab,
        program(port, form) as client,
    ):
        await client.log_in(said[0].header)
        assert lab.server.snapshot().clients[0].program == "OSCam, newcamd"
        answered = 0
        for frame in said[1:]:
            client.say(frame.header, frame.message)
            if 0xD1 <= frame.command <= 0xD8:
                continue  # the mgcamd extension, which is not spoken
            answer = await client.hear()
            assert (answer.command, answer.header.sequence) == (
                frame.command + (frame.command == Command.CARD_DATA_REQUEST),
                frame.header.sequence,
            )
            if frame.command in ECM_TABLE_IDS:
                assert answer.data == expected_cw(frame.message).raw
                answered += 1
            elif frame.command == Command.CARD_DATA_REQUEST:
                card = CardData.parse(answer.data)
                assert (card.caid, [each.ident for each in card.providers]) == (0x0B00, [0, 1])
            else:
                assert (answer.data, answer.message[1] >> 4) == (b"", 1)
        assert answered >= 3
        assert lab.server.snapshot().clients[0].ecms_answered == answered


async def test_a_client_that_names_no_provider_gets_the_keys_of_the_one_there_is() -> None:
    """OSCam says the service only; the F-line keeps some other provider of the card from it."""
    toml = '[[card]]\nkind = "test"\ncaid = "0500"\nproviders = ["030B00", "030C00"]\n'
    port = free_port()
    cfg = "F: bob builder 1 1 1 { 0500:030C00:0 }"
    async with running(cfg, f"{toml}[[newcamd]]\nport = {port}\n"), program(port) as client:
        await client.log_in(Header(0, 0x8888))
        assert [each.ident for each in (await client.card()).providers] == [0x030B00]
        client.say(Header(2, 0x1234), section(b"sid only"))
        assert (await client.hear()).data == expected_cw(section(b"sid only")).raw


async def test_a_client_that_was_told_no_card_is_told_when_one_comes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ports, "SETTLING", 0.05)
    caplog.set_level(logging.INFO)
    port = free_port()
    table = f"[[newcamd]]\nport = {port}\n"
    async with running(CFG, table) as lab:
        async with program(port) as client:
            await client.log_in(Header(0, 0x6502))
            assert await client.card() == CardData(caid=Caid(0), providers=(Provider(Ident(0)),))
            made = setup(CFG, CARD + table, port=lab.port)
            await lab.server.reload(replace(made, node_id=lab.server._setup.node_id))
            await client.ends()
        async with program(port) as client:
            await client.log_in(Header(0, 0x6502))
            assert (await client.card()).caid == 0x0B00
    assert CloseReason.CARD_CHANGED.value in caplog.text


def offer(caid: int, *idents: int, share_id: int = 1, hop: int = 1) -> Offer:
    return Offer(
        share_id=ShareId(share_id),
        remote_id=0,
        caid=Caid(caid),
        hop=hop,
        reshare=1,
        providers=tuple(Provider(Ident(each)) for each in idents),
    )


def test_what_a_client_was_told_counts_until_it_is_told_anew() -> None:
    near, far = offer(0x0500, 1), offer(0x0B00, 2, share_id=2, hop=2)
    shelf = OneCardShelf(Wish(), lambda user: False)
    assert shelf.show(USER, [near, far]).caid == 0x0500
    assert shelf.patience(USER, [near, far]) is None
    assert shelf.patience(USER, [far]) == LOST_FOR, "a link may bring it back"
    assert shelf.serves(Caid(0x0500), Ident(0))
    assert not shelf.serves(Caid(0x0B00), Ident(0)), "who names no CAID means what it was told"
    assert shelf.patience(USER, []) is None
    assert shelf.patience(USER, [near, offer(0x0500, 1, 3, share_id=4)]) == SETTLING
    assert shelf.patience(USER, [offer(0x0500), far]) is None, "less is no news"
    assert shelf.show(USER, [far]).caid == 0x0B00
    assert shelf.show(USER, []) == CardData(caid=Caid(0x0B00))
    assert shelf.patience(USER, [near]) == SETTLING
