"""A receiver program with a socket: lists services, sends ECMs through filters, takes keys."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from laboratory import HOST, KINDS, NO_PAGES, TEST_CARD, new_node_id

from cccamd.ids import Caid, Sid
from cccamd.server import Server
from cccamd.setup.cccamcfg import parse
from cccamd.setup.merging import merge
from cccamd.setup.setup import Setup
from cccamd.setup.toml import parse as parse_toml
from cccamd.wire.dvbapi import (
    NO_INDEX,
    CaDescriptor,
    CaPmt,
    Channel,
    ClientInfo,
    ClientMessage,
    EcmInfo,
    FilterData,
    ListManagement,
    SectionMatch,
    ServerInfo,
    ServerMessage,
    ServerReader,
    SetDescrambler,
    SetFilter,
    SetPid,
    StopFilter,
    Stream,
    serialize_for_server,
)

PATIENCE = 10.0
"""Seconds after which a test has failed; nothing is expected within them."""


def pmt(sid: int, *, ecm_pid: int = 0, caid: int = 0x7F00, adapter: int = 0, **words) -> CaPmt:  # type: ignore[no-untyped-def]
    """A service with two streams of its own."""
    manage = words.pop("manage", ListManagement.ADD)
    return CaPmt(
        list_management=manage,
        service=Sid(sid),
        adapter=adapter,
        descriptors=(CaDescriptor(Caid(caid), ecm_pid or 1000 + sid),),
        streams=(Stream(2, 2000 + 2 * sid), Stream(4, 2001 + 2 * sid)),
        **words,
    )


def ecm(sid: int, number: int) -> bytes:
    """An ECM section that is this service's alone."""
    body = b"\x00\x00" + sid.to_bytes(2) + number.to_bytes(4)
    return bytes((0x80 + number % 2, 0x70, len(body))) + body


class DvbapiClient:
    """What a receiver program knows."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: int
    ) -> None:
        self._reader, self._writer, self._version = reader, writer, version
        self._messages = ServerReader(version)
        self.server = ""
        self.filters: dict[tuple[int, int], tuple[int, SectionMatch]] = {}
        self.indices: dict[tuple[int, int], int] = {}
        self.keys: dict[tuple[int, int], bytes] = {}
        self.infos: list[EcmInfo] = []
        self.writes: list[list[str]] = []
        """The names of the messages of each read."""
        self.is_over = False
        self._news = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def say(self, *messages: ClientMessage) -> None:
        for message in messages:
            self._writer.write(serialize_for_server(message, self._version))
        await self._writer.drain()

    async def send_raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def broadcast(self, pid: int, section: bytes) -> None:
        for (demux, number), (its_pid, match) in list(self.filters.items()):
            if its_pid == pid and match.matches(section):
                await self.say(FilterData(demux, number, section))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def words_of(self, pid: int, adapter: int = 0) -> bytes:
        """Both halves of the CW that a stream is descrambled with."""
        index = self.indices.get((adapter, pid), -1)
        return self.keys.get((index, 0), b"") + self.keys.get((index, 1), b"")

    async def close(self) -> None:
        self._writer.close()
        await self._task
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65536):
                names = []
                for channel, message in self._messages.messages(data):
                    names.append(type(message).__name__)
                    self._take(channel, message)
                self.writes.append(names)
                self._news.set()
        except ConnectionError:
            pass
        finally:
            self.is_over = True
            self._news.set()

    def _take(self, channel: Channel, message: ServerMessage | ServerInfo) -> None:
        match message:
            case ServerInfo(_, text):
                self.server = text
            case SetFilter(demux, number, pid, match):
                self.filters[demux, number] = pid, match
            case StopFilter(demux, number, pid):
                assert self.filters.pop((demux, number))[0] == pid
            case SetPid(pid, index):
                if index == NO_INDEX:
                    del self.indices[channel.adapter, pid]
                else:
                    self.indices[channel.adapter, pid] = index
            case SetDescrambler(index, parity, cw):
                self.keys[index, parity] = cw
            case EcmInfo():
                self.infos.append(message)


@asynccontextmanager
async def connected(
    where: int | Path, *, version: int = 2, text: str = "a test"
) -> AsyncIterator[DvbapiClient]:
    """A client of a port or a UNIX socket; without `text` it does not say what it is."""
    if isinstance(where, Path):
        reader, writer = await asyncio.open_unix_connection(where)
    else:
        reader, writer = await asyncio.open_connection(HOST, where)
    client = DvbapiClient(reader, writer, version)
    try:
        if text:
            await client.say(ClientInfo(version, text))
        yield client
    finally:
        await client.close()


CFG = "F: tv secret"


def dvbapi_setup(
    table: str, *, cfg: str = CFG, cards: str = TEST_CARD, folder: Path = Path()
) -> Setup:
    """A server that has no other door."""
    parsed = parse(f"SERVER LISTEN PORT : 0\n{cfg}\n{NO_PAGES}".encode())
    toml = f'{cards}\n[dvbapi]\n{table}\n[server]\nbind = ["{HOST}"]\n'
    found = parse_toml(toml, kinds=KINDS, folder=folder)
    assert not found.problems, [str(problem) for problem in found.problems]
    config = merge(parsed.config, found.config)
    return Setup(config=config, toml=found.config, node_id=new_node_id())


def port_table(port: int, more: str = "") -> str:
    return f'port = {port}\nlisten = ["{HOST}"]\naccount = "tv"\n{more}'


@asynccontextmanager
async def serving(setup: Setup) -> AsyncIterator[Server]:
    server = Server(setup)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
