"""Packets in, records out: tells what each connection speaks, and has it read.

Theory of operation. Who speaks first, and what, tells the protocol: a CCcam server sends a seed of
16 bytes with a checksum, a newcamd server 14 bytes and then waits, a dvbapi client an operation. As
long as it is not clear, what comes is kept, in its order; it is a few dozen bytes. What cannot be
told, and what cannot be read, is told as `UNREAD` or `OTHER`, once for each connection.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from cccamd.decode.packets import Packet
from cccamd.decode.streams import Data, Ended, Endpoint, Forgotten, Hole, Opened, Piece, Streams
from cccamd.ids import format_endpoint
from cccamd.wire.cccam import SEED_LENGTH, is_original_seed, is_partner_seed
from cccamd.wire.newcamd import BLOCK_LENGTH, GREETING_LENGTH, LONGEST, SHORTEST
from cccamd.wire.overheard import (
    CccamSession,
    DvbapiSession,
    Json,
    Keyring,
    Kind,
    NewcamdSession,
    Record,
    Sender,
    SessionReader,
    Tell,
)
from cccamd.wire.strangers import recognise, recognise_caller

KEPT_LIMIT: Final = 4096
"""Bytes of a connection that are kept until it is clear what it speaks."""
_DVBAPI_BEGINNINGS: Final = tuple(map(bytes.fromhex, ("ffff0001", "ffff0000", "9f8032", "9f803f")))
_DVBAPI_ANSWERS: Final = tuple(
    map(
        bytes.fromhex,
        ("403c6f2b", "00006f2a", "40086f87", "40106f86", "400c6f88", "ffff0002", "ffff0003"),
    )
)
"""Of a server, where the capture begins later."""
_MARK: Final = b"\xa5"
_MARKED: Final = 5


class Decoder:
    """Reads one capture. Give it packets in their order; `finish` at the end."""

    def __init__(self, keyring: Keyring, *, secrets: bool = False) -> None:
        """`secrets`: passwords and CWs are told, too."""
        self._keyring = keyring
        self._secrets = secrets
        self._streams = Streams()
        self._connections: dict[int, _Connection] = {}
        self._records: list[Record] = []
        self._at = self._told_at = 0.0
        self.unread = 0
        """How much of what was told is `UNREAD`."""
        self.sessions = 0
        """Connections that were read, whole or in part."""

    def take(self, packet: Packet) -> Iterator[Record]:
        """Take in a packet, and tell what it shows."""
        self._at = packet.at
        return self._told(self._streams.take(packet))

    def finish(self) -> Iterator[Record]:
        """The capture ends here."""
        return self._told(self._streams.finish())

    def _told(self, pieces: Iterable[Piece]) -> Iterator[Record]:
        for piece in pieces:
            self._told_at = self._at
            self._on_piece(piece)
            records, self._records = self._records, []
            yield from records

    def _on_piece(self, piece: Piece) -> None:
        match piece:
            case Opened(number, ends, from_start):
                tell = partial(self._tell, number)
                self._connections[number] = _Connection(
                    tell,
                    ends,
                    from_start=from_start,
                    keyring=self._keyring,
                    secrets=self._secrets,
                )
            case Data(number, side, data, at):
                self._told_at = at
                self._connections[number].receive(side, data, at)
            case Hole(number, side, length):
                self._connections[number].miss(side, length)
            case Ended(number, side, reset):
                self._connections[number].end(side, reset=reset)
            case Forgotten(number):
                del self._connections[number]

    def _tell(self, connection: int, sender: Sender, kind: Kind, text: str, **facts: Json) -> None:
        self.unread += kind is Kind.UNREAD
        self.sessions += kind is Kind.CONNECTED
        self._records.append(
            Record(
                at=self._told_at,
                connection=connection,
                sender=sender,
                kind=kind,
                text=text,
                facts=facts,
            )
        )


_WITHOUT_A_WORD: Final[Mapping[tuple[int | None, bool], str]] = {
    (1, True): ": the server rejects it; nothing listens on that port, or this client is kept out",
    (1, False): ": the server closes it at once; this client is kept out",
}
"""By who ended it, and whether by a reset."""


class _Connection:
    """One connection, of which it may not be clear yet what it speaks."""

    def __init__(
        self,
        tell: Tell,
        ends: tuple[Endpoint, Endpoint],
        *,
        from_start: bool,
        keyring: Keyring,
        secrets: bool,
    ) -> None:
        self._tell = tell
        self._ends = ends
        self._from_start = from_start
        self._keyring = keyring
        self._secrets = secrets
        self._client = 0
        """Which of the two is the client."""
        self._reader: SessionReader | None = None
        self._kept: list[tuple[int, bytes]] = []
        self._said = (bytearray(), bytearray())
        """By whom."""
        self._is_told = False
        """Nothing of it can be read, which was said."""

    def receive(self, side: int, data: bytes, at: float) -> None:
        """Take in what one side sent."""
        if self._reader is not None:
            self._reader.receive(self._sender(side), data, at)
        elif not self._is_told:
            self._kept.append((side, data))
            self._said[side].extend(data)
            self._judge(at)
            if self._reader is None and sum(map(len, self._said)) > KEPT_LIMIT:
                self._judge_in_vain(over=True)

    def miss(self, side: int, length: int) -> None:
        """So many bytes of one side are not in the capture."""
        if self._reader is not None:
            self._reader.miss(self._sender(side), length)
        elif not self._is_told:
            self._cannot(f"{length} bytes of its beginning are not in the capture")

    def end(self, side: int | None, *, reset: bool) -> None:
        """It is over, or the capture is."""
        if self._reader is None:
            if not self._is_told and not any(self._said):
                self._other(f"nothing was said{_WITHOUT_A_WORD.get((side, reset), '')}")
            elif not self._is_told:
                self._judge_in_vain(over=True)
            return
        if side is None:
            text = "the capture ends here; the connection does not"
            self._tell(Sender.NOBODY, Kind.CLOSED, text, reset=False)
            return
        sender = self._sender(side)
        self._reader.end(sender)
        text = "resets the connection" if reset else "closes the connection"
        self._tell(sender, Kind.CLOSED, text, reset=reset)

    def _sender(self, side: int) -> Sender:
        return Sender.CLIENT if side == self._client else Sender.SERVER

    # What it speaks.

    def _judge(self, at: float) -> None:
        """Say what it speaks, if that is clear."""
        first, before = self._kept[0][0], self._before_the_other()
        if before >= SEED_LENGTH and _is_seed(bytes(self._said[first][:SEED_LENGTH])):
            if first == 1 or not self._from_start:
                self._client = 1 - first
                self._begin("CCcam", at)
        elif _is_dvbapi(self._said[first]) and (first == 0 or not self._from_start):
            self._client = first
            self._begin("dvbapi", at)
        elif not self._from_start and _is_dvbapi(self._said[first], _DVBAPI_ANSWERS):
            self._client = 1 - first
            self._begin("dvbapi", at)
        elif before == GREETING_LENGTH and self._is_frame(1 - first):
            if first == 1 or not self._from_start:
                self._client = 1 - first
                self._begin("newcamd", at)
        elif len(self._said[first]) > SEED_LENGTH:
            self._judge_in_vain(over=False)

    def _is_frame(self, side: int) -> bool:
        """Whether what one side said may begin with a frame of newcamd."""
        said = self._said[side]
        length = int.from_bytes(said[:2])
        return len(said) >= 2 and not length % BLOCK_LENGTH and SHORTEST <= length <= LONGEST

    def _make_reader(self, protocol: str) -> SessionReader:
        tell, secrets = self._tell, self._secrets
        if protocol == "CCcam":
            return CccamSession(tell, self._keyring, secrets=secrets)
        if protocol == "dvbapi":
            return DvbapiSession(tell, secrets=secrets, from_start=self._from_start)
        server = format_endpoint(*self._ends[1 - self._client])
        return NewcamdSession(tell, self._keyring, secrets=secrets, server=server)

    def _before_the_other(self) -> int:
        """How much the one who spoke first said before the other did."""
        first, count = self._kept[0][0], 0
        for side, data in self._kept:
            if side != first:
                break
            count += len(data)
        return count

    def _begin(self, protocol: str, at: float) -> None:
        self._reader = reader = self._make_reader(protocol)
        self._connected(Kind.CONNECTED, f"{protocol}: {self._who()}", protocol=protocol)
        for side, data in self._kept:
            reader.receive(self._sender(side), data, at)
        self._kept.clear()

    def _judge_in_vain(self, *, over: bool) -> None:
        """Say that it speaks nothing that is known, once that is clear."""
        first = self._kept[0][0] if self._kept else 0
        said = bytes(self._said[first][:KEPT_LIMIT])
        if not self._from_start and said:
            self._cannot("it began before the capture: without its first bytes it cannot be read")
        elif first == 0 and (name := recognise_caller(said)):
            self._other(f"the client is {name}")
        elif first == 1 and (name := recognise(said)):
            self._other(f"the server is {name}")
        elif over or first == 1 or len(said) > KEPT_LIMIT // 2:
            self._other("it is neither CCcam nor newcamd nor dvbapi")

    def _cannot(self, why: str) -> None:
        self._is_told = True
        self._connected(Kind.UNREAD, f"{self._who()}: {why}", why=why)
        self._forget()

    def _other(self, what: str) -> None:
        self._is_told = True
        self._connected(Kind.OTHER, f"{self._who()}: {what}", what=what)
        self._forget()

    def _forget(self) -> None:
        self._kept.clear()
        for said in self._said:
            said.clear()

    def _who(self) -> str:
        client, server = self._ends[self._client], self._ends[1 - self._client]
        return f"{format_endpoint(*client)} at {format_endpoint(*server)}"

    def _connected(self, kind: Kind, text: str, **facts: Json) -> None:
        client, server = self._ends[self._client], self._ends[1 - self._client]
        self._tell(
            Sender.NOBODY,
            kind,
            text,
            client=format_endpoint(*client),
            server=format_endpoint(*server),
            **facts,
        )


def _is_seed(data: bytes) -> bool:
    return is_original_seed(data) or is_partner_seed(data)


def _is_dvbapi(data: bytearray, beginnings: tuple[bytes, ...] = _DVBAPI_BEGINNINGS) -> bool:
    """Whether a message of dvbapi begins so, perhaps behind a message mark."""
    start = _MARKED if data[:1] == _MARK else 0
    return bytes(data[start : start + 4]).startswith(beginnings)
