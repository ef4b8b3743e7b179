"""What is fed with any bytes, and what must hold then: nothing but the errors that are meant.

Each target takes bytes and raises only when something is wrong. Where a cipher or a checksum
stands before what is to be reached, the target puts it on itself, so that the bytes are what the
parser behind it sees.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cccamd.ids import USUAL_CONFIG_KEY, Caid, Ident, NodeId, ShareId, Sid
from cccamd.lab.cas.emm import _parse_commands
from cccamd.lab.cas.keys import CardKeys
from cccamd.lab.cas.section import CasError
from cccamd.lab.cas.smartcard import decode, learn
from cccamd.lab.ts.packets import PacketReader, TsError
from cccamd.lab.ts.psi import Cat, Pat, Pmt
from cccamd.lab.ts.sections import SectionReader, crc32_mpeg2
from cccamd.localcards import find_kinds
from cccamd.oldinfo.infoport import LineCutter
from cccamd.oldinfo.oldtables import Look
from cccamd.oldinfo.telnet import telnet_answer
from cccamd.setup.cccamcfg import parse
from cccamd.setup.cccamcfg.companions import parse_channelinfo, parse_prio, parse_providers
from cccamd.setup.toml import parse as parse_toml
from cccamd.values import ControlWords, Provider, Refusal
from cccamd.wire.cccam import ClientProtocol, ServerProtocol, make_node_id
from cccamd.wire.cccam.frames import Command, serialize_frame
from cccamd.wire.cccam.handshake import PASSWORD_CHECK, derive_keys, make_seed, pack_user
from cccamd.wire.cccam.messages import ClientData, ServerData
from cccamd.wire.dvbapi import (
    ECM_ANY,
    CaPmtError,
    Channel,
    ClientInfo,
    ClientIntroduced,
    DvbapiServer,
    FramingError,
    Parity,
    ServerReader,
    ServiceListed,
    parse_ca_pmt,
    serialize_ca_pmt,
    serialize_for_server,
)
from cccamd.wire.link import Closed, LoginRequested, Requested, State
from cccamd.wire.newcamd import (
    CardData,
    Form,
    FrameCipher,
    Header,
    NewcamdClient,
    NewcamdServer,
    hash_password,
    login_cipher,
    make_message,
    session_cipher,
)
from cccamd.wire.newcamd import serialize_frame as serialize_newcamd

TESTS: Final = Path(__file__).parent.parent
"""Where the hand-made values of other tests are; imported where they are needed."""
sys.path += [str(TESTS), str(TESTS / "web")]
RANDOM: Final = bytes(range(12))
NODE: Final = make_node_id(b"fuzz")


def _feed(protocol: Any, data: bytes, cut: int) -> list[Any]:
    """Let bytes in by pieces, act as an owner does, and look at what is told."""
    told: list[Any] = []
    step = cut % 40 + 1
    pieces = [data[at : at + step] for at in range(0, len(data), step)] if cut % 3 else [data]
    for number, piece in enumerate(pieces):
        protocol.receive_data(piece, 10.0 + number)
        told += _serve(protocol)
    protocol.handle_deadline(1e6)
    told += _serve(protocol)
    protocol.receive_eof(2e6)
    told += _serve(protocol)
    assert protocol.state is State.CLOSED
    assert sum(isinstance(event, Closed) for event in told) == 1, told
    assert isinstance(told[-1], Closed), told
    return told


def _serve(protocol: Any) -> list[Any]:
    told: list[Any] = []
    while events := protocol.events_received():
        for event in events:
            told.append(event)
            if protocol.state is State.CLOSED:
                continue
            if isinstance(event, LoginRequested):
                protocol.authenticate(b"secret")
            elif isinstance(event, ClientIntroduced):
                protocol.introduce("cccamd")
            elif isinstance(event, ServiceListed):
                for pid in event.pmt.pids:
                    protocol.set_pid(event.channel, pid, 0)
                protocol.set_descrambler(event.channel, 0, Parity.ODD, bytes(8))
            elif isinstance(event, Requested):
                if event.token % 2:
                    protocol.answer(event.token, ControlWords(bytes(15) + b"\1"))
                else:
                    protocol.refuse(event.token, Refusal.CANNOT_DECODE)
    assert isinstance(protocol.data_to_send(), bytes)
    protocol.next_deadline()
    for event in told:
        str(event)
    return told


def _server(now: float = 0.0) -> ServerProtocol:
    return ServerProtocol(node_id=NODE, program="cccamd", random=RANDOM, now=now)


def server_handshake(data: bytes) -> None:
    """A client's first bytes: as they are, or behind a right proof."""
    if not data:
        return
    protocol = _server()
    seed = protocol.data_to_send()
    keys = derive_keys(seed)
    if data[0] & 1:
        proved = keys.client_to_server.encrypt(keys.proof)
        _feed(protocol, proved + keys.client_to_server.encrypt(data[1:]), data[0] >> 1)
    else:
        _feed(protocol, data[1:], data[0] >> 1)


def server_frames(data: bytes) -> None:
    """The clear bytes of a client that is logged in."""
    if not data:
        return
    protocol = _server()
    keys = derive_keys(protocol.data_to_send())
    out = keys.client_to_server
    said = out.encrypt(keys.proof) + out.encrypt(pack_user(b"anna"))
    out.encrypt(b"secret")
    said += out.encrypt(PASSWORD_CHECK)
    if data[0] & 1:
        who = ClientData(
            user=b"anna", node_id=NodeId(NODE), version="2.3.0", build="3367"
        ).serialize()
        said += out.encrypt(serialize_frame(0, Command.CLIENT_DATA, who))
    protocol.receive_data(said, 1.0)
    _serve(protocol)
    _feed(protocol, out.encrypt(data[1:]), data[0] >> 1)


def _client() -> ClientProtocol:
    return ClientProtocol(
        user=b"anna", password=b"secret", node_id=NodeId(NODE), program="cccamd", now=0.0
    )


def client_handshake(data: bytes) -> None:
    """A server's first bytes: as they are, or behind a right seed."""
    if not data:
        return
    protocol = _client()
    if data[0] & 1:
        seed = make_seed(RANDOM)
        keys = derive_keys(seed)
        _feed(protocol, seed + keys.server_to_client.encrypt(data[1:]), data[0] >> 1)
    else:
        _feed(protocol, data[1:], data[0] >> 1)


def client_frames(data: bytes) -> None:
    """The clear bytes of a server that has let us in."""
    if not data:
        return
    seed = make_seed(RANDOM)
    out = derive_keys(seed).server_to_client
    said = seed + out.encrypt(b"CCcam" + bytes(15))
    if data[0] & 1:
        who = ServerData(node_id=NodeId(NODE), version="2.3.0", build="3367").serialize()
        said += out.encrypt(serialize_frame(0, Command.SERVER_DATA, who))
    protocol = _client()
    protocol.receive_data(said, 1.0)
    _serve(protocol)
    _feed(protocol, out.encrypt(data[1:]), data[0] >> 1)


def dvbapi_client(data: bytes) -> None:
    """A receiver program's bytes: as they are, or behind a greeting of version 1, 2 or 3."""
    if not data:
        return
    protocol = DvbapiServer(0.0)
    if version := data[0] & 3:
        protocol.receive_data(serialize_for_server(ClientInfo(version, "fuzz"), 0), 1.0)
    for number in range(4):
        protocol.set_filter(Channel(), number, 0, 0x110, ECM_ANY)
    _feed(protocol, data[1:], data[0] >> 2)


def ca_pmt(data: bytes) -> None:
    """What a receiver program says of a service; what was read is written and read as the same."""
    with suppress(CaPmtError):
        pmt = parse_ca_pmt(data)
        assert pmt.contents == pmt.contents
        assert pmt.stream_sets is not None
        with suppress(ValueError):  # the same said with more descriptors may not fit any more
            again = parse_ca_pmt(serialize_ca_pmt(pmt))
            assert again == pmt, (again, pmt)


def dvbapi_server(data: bytes) -> None:
    """A server's bytes, as clients of each version read them."""
    for version in range(4):
        with suppress(FramingError):
            for _, message in ServerReader(version).messages(data):
                assert repr(message)


class _Shelf:
    """One card, for everybody and everything."""

    def show(self, user: bytes, offers: object) -> CardData:
        return CardData(caid=Caid(0x0604), providers=(Provider(Ident(0)), Provider(Ident(1))))

    def patience(self, user: bytes, offers: object) -> float | None:
        return None

    def card_for(self, ident: Ident, offers: object) -> ShareId:
        return ShareId(1)

    def serves(self, caid: Caid, ident: Ident) -> bool:
        return True


def _newcamd_messages(data: bytes, cipher: FrameCipher) -> bytes:
    """Frames with whatever messages: their header first, then their length in one byte."""
    wire = b""
    while len(data) > 11:
        header, length, data = data[:10], data[10] + 3, data[11:]
        message, data = data[:length], data[length:]
        words = Header(*(int.from_bytes(header[at : at + 2]) for at in (0, 2, 4, 6)), header[8])
        wire += serialize_newcamd(words, message, form=Form.F525, cipher=cipher, random=bytes)
    return wire


def newcamd_server(data: bytes) -> None:
    """A client's messages; the first byte says whether before or behind its login, or raw."""
    kind, data = (data[0] if data else 0), data[1:]
    server = NewcamdServer(config_key=USUAL_CONFIG_KEY, shelf=_Shelf(), random=bytes, now=0.0)
    if kind % 3 == 0:
        _feed(server, data, kind)
        return
    cipher = login_cipher(USUAL_CONFIG_KEY, server.data_to_send())
    if kind % 3 == 1:
        _feed(server, _newcamd_messages(data, cipher), kind)
        return
    hashed = hash_password(b"secret")
    login = make_message(0xE0, b"fuzz\0" + hashed + b"\0")
    server.receive_data(
        serialize_newcamd(Header(), login, form=Form.F525, cipher=cipher, random=bytes), 1.0
    )
    _serve(server)
    assert server.state is State.OPEN
    _feed(server, _newcamd_messages(data, session_cipher(USUAL_CONFIG_KEY, hashed)), kind)


def newcamd_client(data: bytes) -> None:
    """A server's messages, likewise."""
    kind, data = (data[0] if data else 0), data[1:]
    client = NewcamdClient(
        user=b"fuzz",
        hashed=hash_password(b"secret"),
        config_key=USUAL_CONFIG_KEY,
        random=bytes,
        now=0.0,
    )
    if kind % 3 == 0:
        _feed(client, data, kind)
        return
    client.receive_data(bytes(14), 1.0)
    cipher = login_cipher(USUAL_CONFIG_KEY, bytes(14))
    if kind % 3 == 1:
        _feed(client, _newcamd_messages(data, cipher), kind)
        return
    accepted = make_message(0xE1)
    client.receive_data(
        serialize_newcamd(Header(), accepted, form=Form.F525, cipher=cipher, random=bytes), 1.0
    )
    session = session_cipher(USUAL_CONFIG_KEY, hash_password(b"secret"))
    _feed(client, _newcamd_messages(data, session), kind)


def cccam_cfg(data: bytes) -> None:
    """CCcam.cfg."""
    for found in parse(data).diagnostics:
        str(found)


def companions(data: bytes) -> None:
    """CCcam.prio, .providers and .channelinfo."""
    kinds = (parse_prio, parse_providers, parse_channelinfo)
    for found in kinds[data[0] % 3](data[1:]).problems if data else ():
        str(found)


_KINDS: Final = {name: find_kinds()[name] for name in ("test", "fixed", "open")}


def cccamd_toml(data: bytes) -> None:
    """cccamd.toml, as far as it is text."""
    with suppress(UnicodeDecodeError):
        for found in parse_toml(data.decode(), kinds=_KINDS, folder=Path("/nonexistent")).problems:
            str(found)


class _Web:
    """The pages and the API, without a socket."""

    def __init__(self) -> None:
        from contexts import full_context

        from cccamd.web.app import create_app
        from fact_factory import a_household

        self.household = a_household()
        self.loop = asyncio.new_event_loop()
        self.app = create_app(full_context(self.household))

    async def ask(self, data: bytes) -> None:
        head, _, body = data.partition(b"\n\n")
        first, *lines = head.split(b"\n")
        method, _, target = first.partition(b" ")
        path, _, query = target.partition(b"?")
        if not query.isascii():
            return  # h11 lets nothing else through
        headers = [
            (name.strip().lower(), value.strip())
            for name, colon, value in (line.partition(b":") for line in lines)
            if colon
        ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method.decode("latin-1").upper() or "GET",
            "scheme": "http",
            "path": "/" + path.decode("utf-8", "replace").lstrip("/"),
            "raw_path": b"/" + path.lstrip(b"/"),
            "root_path": "",
            "query_string": query,
            "headers": [(b"host", b"127.0.0.1"), *headers],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 16_001),
        }
        asked = [{"type": "http.request", "body": body, "more_body": False}]
        status: list[int] = []

        async def receive() -> Any:
            return asked.pop() if asked else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])

        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self.app(scope, receive, send)
        assert not status or status[0] < 500, (status, data)


_web: list[_Web] = []


def web(data: bytes) -> None:
    """One request: its method, path and query, its headers, its body."""
    if not _web:
        _web.append(_Web())
    _web[0].loop.run_until_complete(_web[0].ask(data))


def telnet(data: bytes) -> None:
    """Lines, however they are cut, and the answer to each as a command."""
    from fact_factory import a_household

    if not _household:
        _household.append(a_household())
    cutter = LineCutter()
    cut = data[0] % 20 + 1 if data else 1
    lines: list[bytes] = []
    for at in range(1, len(data), cut):
        lines += cutter.cut(data[at : at + cut])
    look = Look(provider_name=lambda caid, ident: None)
    for line in lines[:4]:
        assert telnet_answer(line.decode(errors="replace"), _household[0], look)


_household: list[Any] = []
_CARD: Final = {
    "format": "cccamd open card 1",
    "caid": "7F01",
    "ua": "00000000AABBCCDD",
    "card": {"key": "00" * 16},
    "all": {"key": "11" * 16},
}


def _keys() -> CardKeys:
    return CardKeys.model_validate(_CARD)


def cas_sections(data: bytes) -> None:
    """ECMs and EMMs of the open CAS, and what is sealed in EMMs."""
    keys = _keys()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with suppress(CasError):
        decode(keys, data, sid=Sid(1), now=now)
    with suppress(CasError):
        learn(keys, data)
    with suppress(CasError):
        _parse_commands(data)
    assert keys.caid == Caid(0x7F01)


def transport_stream(data: bytes) -> None:
    """A transport stream cut anyhow, its sections, and tables with a right checksum."""
    if not data:
        return
    reader, sections = PacketReader(), SectionReader()
    step = data[0] * 3 + 1
    with suppress(TsError):
        for at in range(1, len(data), step):
            for packet in reader.feed(data[at : at + step]):
                _look_at(packet)
                for section in sections.feed(packet):
                    _tables(section)
    summed = data[1:] + crc32_mpeg2(data[1:]).to_bytes(4)
    _tables(summed)


def _look_at(packet: Any) -> None:
    with suppress(TsError):
        _ = packet.pid, packet.parity, packet.continuity, packet.payload, packet.pcr


def _tables(section: bytes) -> None:
    for table in (Pat, Pmt, Cat):
        with suppress(TsError):
            parsed = table.parse(section)
            assert table.parse(parsed.serialize()) == parsed


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (
        server_handshake,
        server_frames,
        client_handshake,
        client_frames,
        dvbapi_client,
        dvbapi_server,
        newcamd_client,
        newcamd_server,
        ca_pmt,
        cccam_cfg,
        companions,
        cccamd_toml,
        web,
        telnet,
        cas_sections,
        transport_stream,
    )
}
