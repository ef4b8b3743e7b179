"""One recorded dvbapi connection, both sides (docs/dvbapi-protocol.md sections 3 to 11).

Nothing is enciphered. Which form a server's messages have follows from the version that the client
says; where the capture begins later, from their first byte.
"""

from dataclasses import dataclass
from typing import Final

from cccamd.ids import format_caid, format_ident, format_sid
from cccamd.wire.dvbapi import (
    MESSAGE_MARK,
    NO_INDEX,
    CaPmt,
    Channel,
    ClientInfo,
    ClientReader,
    EcmInfo,
    FilterData,
    FramingError,
    MessageIgnored,
    SectionIgnored,
    ServerInfo,
    ServerMessage,
    ServerReader,
    SetDescrambler,
    SetFilter,
    SetMode,
    SetPid,
    Stop,
    StopFilter,
)
from cccamd.wire.overheard.records import Json, Kind, Sender, Tell

FILTERS_LIMIT: Final = 4096
_ECMS: Final = (0x80, 0x81)
_MARKED_VERSION: Final = 3
_USUAL_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class _Filter:
    adapter: int
    pid: int


class DvbapiSession:
    """Reads one connection; `from_start`: the capture has its first bytes."""

    def __init__(self, tell: Tell, *, secrets: bool, from_start: bool) -> None:
        self._tell = tell
        self._secrets = secrets
        self._at = 0.0
        self._from_start = from_start
        self._client = ClientReader()
        self._server: ServerReader | None = None
        self._lost: set[Sender] = set()
        self._filters: dict[tuple[int, int], _Filter] = {}
        self._count = 0
        self._asked: dict[int, tuple[int, float]] = {}
        """The last ECM of each adapter: its number, and when it came."""

    def receive(self, sender: Sender, data: bytes, at: float) -> None:
        """Take in what one side sent."""
        self._at = at
        try:
            if sender is Sender.CLIENT:
                self._receive_client(data)
            else:
                self._receive_server(data)
            self._lost.discard(sender)
        except FramingError as error:
            self._tear(sender, f"{error}: reading goes on with the next packet that begins well")

    def miss(self, sender: Sender, length: int) -> None:
        """So many bytes of one side are not in the capture."""
        text = f"{length} bytes are not in the capture: reading goes on behind them"
        self._tear(sender, text)

    def end(self, sender: Sender) -> None:
        """One side has ended it, which says no more here than elsewhere."""

    def _tear(self, sender: Sender, why: str) -> None:
        """Begin anew with the next packet."""
        version = self._client.version
        if sender is Sender.CLIENT:
            self._client = ClientReader()
            self._client.version = version
        else:
            self._server = None
        if sender not in self._lost:
            self._lost.add(sender)
            self._tell(sender, Kind.UNREAD, why)

    def _receive_client(self, data: bytes) -> None:
        if not self._from_start and not self._client.version and data:
            self._client.version = _guessed(data)
        for _, message in self._client.messages(data):
            self._on_client(message)

    def _receive_server(self, data: bytes) -> None:
        if self._server is None:
            version = self._client.version
            if not version and not self._from_start:
                version = _guessed(data)
            self._server = ServerReader(version)
        for channel, message in self._server.messages(data):
            self._on_server(channel, message)

    # What a client says.

    def _on_client(self, message: object) -> None:
        match message:
            case ClientInfo(version, text):
                words = f"is {text}, dvbapi {version}"
                self._tell(Sender.CLIENT, Kind.WHO, words, program=text, version=version)
            case CaPmt():
                self._on_service(message)
            case Stop(number):
                self._tell(Sender.CLIENT, Kind.STOP, f"stop of demux {number}", demux=number)
            case FilterData():
                self._on_section(message)
            case SectionIgnored() | MessageIgnored():
                self._tell(Sender.CLIENT, Kind.MESSAGE, str(message))

    def _on_service(self, pmt: CaPmt) -> None:
        sid = format_sid(pmt.service)
        sources = list(dict.fromkeys(each for group in pmt.stream_sets for each in group.sources))
        systems = ", ".join(f"{format_caid(each.caid)} on PID {each.pid}" for each in sources)
        self._tell(
            Sender.CLIENT,
            Kind.SERVICE,
            f"wants service {sid} of adapter {pmt.adapter} clear"
            f" ({pmt.list_management.name.lower()}): {systems or 'no ECMs are named'}",
            sid=sid,
            adapter=pmt.adapter,
            management=pmt.list_management.name.lower(),
            ecm_pids=[
                {"caid": format_caid(each.caid), "ident": format_ident(each.ident), "pid": each.pid}
                for each in sources
            ],
        )

    def _on_section(self, section: FilterData) -> None:
        known = self._filters.get((section.demux, section.filter))
        table, length = section.section[0], len(section.section)
        facts: dict[str, Json] = {
            "demux": section.demux,
            "filter": section.filter,
            "pid": None if known is None else known.pid,
            "table": f"{table:02X}",
            "length": length,
        }
        where = "" if known is None else f" of PID {known.pid}"
        if table in _ECMS:
            self._count += 1
            if known is not None:
                self._asked[known.adapter] = (self._count, self._at)
            text = f"ECM {self._count}{where}, {length} bytes"
            self._tell(Sender.CLIENT, Kind.ECM, text, number=self._count, **facts)
            return
        self._tell(Sender.CLIENT, Kind.EMM, f"section {table:02X}{where}, {length} bytes", **facts)

    # What a server says.

    def _on_server(self, channel: Channel, message: ServerMessage | ServerInfo) -> None:
        adapter = channel.adapter
        match message:
            case ServerInfo(version, text):
                words = f"is {text}, dvbapi {version}"
                self._tell(Sender.SERVER, Kind.WHO, words, program=text, version=version)
            case SetFilter(demux, number, pid):
                if len(self._filters) >= FILTERS_LIMIT:
                    del self._filters[next(iter(self._filters))]
                self._filters[demux, number] = _Filter(adapter, pid)
                text = f"wants sections of PID {pid} (filter {number} of demux {demux})"
                self._filter(text, adapter, pid, demux=demux, filter=number, on=True)
            case StopFilter(demux, number, pid):
                text = f"wants no more of PID {pid} (filter {number} of demux {demux})"
                self._filter(text, adapter, pid, demux=demux, filter=number, on=False)
            case SetPid(pid, index):
                stays = index == NO_INDEX
                text = f"PID {pid}: " + ("not to be descrambled" if stays else f"key {index}")
                self._tell(
                    Sender.SERVER,
                    Kind.MESSAGE,
                    text,
                    name="SET_PID",
                    adapter=adapter,
                    pid=pid,
                    index=index,
                )
            case SetMode(index, algorithm):
                text = f"key {index} is for {algorithm.name}"
                self._tell(Sender.SERVER, Kind.MESSAGE, text, name="SET_MODE", index=index)
            case SetDescrambler():
                self._on_cw(adapter, message)
            case EcmInfo():
                self._on_info(adapter, message)

    def _filter(self, text: str, adapter: int, pid: int, **facts: Json) -> None:
        self._tell(Sender.SERVER, Kind.FILTER, text, adapter=adapter, pid=pid, **facts)

    def _on_cw(self, adapter: int, message: SetDescrambler) -> None:
        """Half a CW does not say which ECM it answers: it is taken to be the adapter's last."""
        asked = self._asked.get(adapter)
        number = None if asked is None else asked[0]
        seconds = None if asked is None else round(self._at - asked[1], 6)
        facts: dict[str, Json] = {"cw": message.cw.hex()} if self._secrets else {}
        to = "an ECM that was not read" if asked is None else f"ECM {number}"
        after = "" if seconds is None else f" after {seconds * 1000:.0f} ms"
        shown = f" {message.cw.hex()}" if facts else ""
        parity = message.parity.name.lower()
        self._tell(
            Sender.SERVER,
            Kind.ANSWER,
            f"answer to {to}{after}: {parity} CW of key {message.index}{shown}",
            number=number,
            result="cw",
            seconds=seconds,
            adapter=adapter,
            index=message.index,
            parity=parity,
            **facts,
        )

    def _on_info(self, adapter: int, info: EcmInfo) -> None:
        caid, ident, sid = (
            format_caid(info.caid),
            format_ident(info.ident),
            format_sid(info.service),
        )
        by = " ".join(filter(None, (info.reader, info.source, info.protocol)))
        self._tell(
            Sender.SERVER,
            Kind.MESSAGE,
            f"{caid}:{ident}:{sid} was answered within {info.milliseconds} ms by {by or 'a card'}",
            name="ECM_INFO",
            adapter=adapter,
            caid=caid,
            ident=ident,
            sid=sid,
            pid=info.pid,
            milliseconds=info.milliseconds,
            reader=info.reader,
            source=info.source,
            hops=info.hops,
        )


def _guessed(data: bytes) -> int:
    return _MARKED_VERSION if data[:1] == bytes([MESSAGE_MARK]) else _USUAL_VERSION
