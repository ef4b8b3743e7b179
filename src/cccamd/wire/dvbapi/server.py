"""A dvbapi client as its softcam sees it (docs/dvbapi-protocol.md, sections 2 to 4 and 14).

Theory of operation. Nobody logs in. The connection is in HANDSHAKE until the client has said
anything that makes sense, and OPEN from then on; a client that says nothing at all is given up
after `FIRST_WORD_TIMEOUT`, and one that has spoken may be silent for ever. CLIENT_INFO brings its
version (0 until then) with `ClientIntroduced`, which `introduce` answers; every other message of a
client is one event. Numbers are the owner's: `demux` and `filter` are handles that the client
repeats, `index` names a key; what belongs together, and when, the owner decides.

Each `Channel` is that of the `ServiceListed` of the service a message is for. Methods may be
called at any time and send nothing after the end. What they add between two calls of
`data_to_send` is one write, as long as that fits into one segment of the network (`WRITE_LIMIT`):
minisatip and VDR lose what comes in two parts. SERVER_INFO is a write of its own. Whatever is
behind the first write is due at once (`next_deadline`).

A client never gets an operation that it does not know: no ECM_INFO before version 2, no mode of
a cipher before version 3, and no filters if it has no idea of them (`LocalDemuxExpected`).
"""

from collections import deque
from typing import Final

from cccamd.wire.dvbapi.capmt import CaPmt
from cccamd.wire.dvbapi.events import (
    ClientIntroduced,
    DvbapiEvent,
    LocalDemuxExpected,
    LocalDemuxProgram,
    MessageIgnored,
    SectionIgnored,
    SectionReceived,
    ServiceListed,
    Stopped,
)
from cccamd.wire.dvbapi.framing import ClientReader, ClientSays, FramingError
from cccamd.wire.dvbapi.messages import (
    ECM_INFO_SINCE,
    MODE_SINCE,
    NEWEST,
    NO_INDEX,
    Algorithm,
    Channel,
    ClientInfo,
    EcmInfo,
    FilterData,
    Operation,
    Parity,
    ServerInfo,
    ServerMessage,
    SetDescrambler,
    SetFilter,
    SetMode,
    SetPid,
    Stop,
    StopFilter,
    serialize_for_client,
    serialize_server_info,
)
from cccamd.wire.dvbapi.sections import SectionMatch
from cccamd.wire.link import CLOSED_BY_PEER, Closed, CloseReason, Loss, State

FIRST_WORD_TIMEOUT: Final = 60.0
"""Seconds that a client may say nothing at all; every program speaks at once."""
WRITE_LIMIT: Final = 1400
"""Bytes of one write: what passes everywhere in one piece. A message is never longer than 400."""

_SINCE: Final = {Operation.ECM_INFO: ECM_INFO_SINCE, Operation.SET_MODE: MODE_SINCE}
_KNOWN_TO: Final = {
    LocalDemuxProgram.MUMUDVB: frozenset({Operation.SET_PID, Operation.SET_DESCRAMBLER}),
    LocalDemuxProgram.ENIGMA2: frozenset(
        {Operation.SET_DESCRAMBLER, Operation.SET_MODE, Operation.ECM_INFO}
    ),
}


class DvbapiServer:
    """One connection of a dvbapi client, without a socket and without a clock."""

    def __init__(self, now: float) -> None:
        self.state = State.HANDSHAKE
        self.client: ClientInfo | None = None
        """Who the client is, once it has said so."""
        self.local_demux: LocalDemuxProgram | None = None
        """Set: a program that we cannot serve, and which."""
        self._now = now
        self._first_word_by = now + FIRST_WORD_TIMEOUT
        self._reader = ClientReader()
        self._events: list[DvbapiEvent] = []
        self._writes: deque[bytes] = deque()
        self._batch: list[bytes] = []
        self._batch_size = 0
        self._filters: set[tuple[int, int]] = set()

    @property
    def version(self) -> int:
        """The version of the client; 0 before its CLIENT_INFO."""
        return self._reader.version

    # The interface of all protocols (`cccamd.wire.link`).

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes from the client, in whatever pieces they came."""
        self._now = now
        if self.state is State.CLOSED:
            return
        try:
            for message_id, message in self._reader.messages(data):
                self.state = State.OPEN
                self._receive(message_id, message)
        except FramingError as error:
            self._close(CloseReason.NOT_DVBAPI, str(error))

    def receive_eof(self, now: float, loss: Loss = CLOSED_BY_PEER) -> None:
        """Take note that the client is gone."""
        self._now = now
        self._close(loss.reason, loss.said)

    def handle_deadline(self, now: float) -> None:
        """Do what is due."""
        self._now = now
        if self.state is State.HANDSHAKE and now >= self._first_word_by:
            self._close(CloseReason.SAID_NOTHING)

    def next_deadline(self) -> float | None:
        """When `handle_deadline` wants to be called; at once, if there is more to be written."""
        if self.state is State.CLOSED:
            return None
        if self._writes or self._batch:
            return self._now
        return self._first_word_by if self.state is State.HANDSHAKE else None

    def events_received(self) -> list[DvbapiEvent]:
        """Hand over what happened since the last call, in order; after the end only `Closed`."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """Hand over the bytes of one write."""
        if self._writes:
            return self._writes.popleft()
        return self._take_batch()

    # What the owner says to the client.

    def introduce(self, text: str) -> None:
        """Answer `ClientIntroduced` with who we are: below 100 bytes, and without a digit after
        "build r" below 11533 (section 14)."""
        if self.state is not State.CLOSED:
            self._end_batch()
            info = ServerInfo(min(NEWEST, self.version), text)
            self._writes.append(serialize_server_info(info, self.version))

    def set_filter(
        self, channel: Channel, demux: int, number: int, pid: int, match: SectionMatch
    ) -> None:
        """Have the sections of a PID sent that match; a filter of that number is replaced.

        Clients differ in what they do about a known number with another PID or mask
        (section 8): take a number that is not in use.
        """
        self._filters.add((demux, number))
        self._send(channel, SetFilter(demux, number, pid, match))

    def stop_filter(self, channel: Channel, demux: int, number: int, pid: int) -> None:
        """Have no sections sent for that filter any more; what is under way is ignored."""
        self._filters.discard((demux, number))
        self._send(channel, StopFilter(demux, number, pid))

    def set_pid(self, channel: Channel, pid: int, index: int) -> None:
        """Let a stream be descrambled with the keys of an index."""
        self._send(channel, SetPid(pid, index))

    def remove_pid(self, channel: Channel, pid: int) -> None:
        """Let a stream be as it is."""
        self._send(channel, SetPid(pid, NO_INDEX))

    def set_descrambler(self, channel: Channel, index: int, parity: Parity, cw: bytes) -> None:
        """Give half a control word, 8 bytes."""
        self._send(channel, SetDescrambler(index, parity, cw))

    def set_mode(
        self, channel: Channel, index: int, algorithm: Algorithm, *, chained: bool = False
    ) -> None:
        """Name the cipher of an index, before its first CW; nothing where the client is too old."""
        self._send(channel, SetMode(index, algorithm, chained))

    def ecm_info(self, channel: Channel, info: EcmInfo) -> None:
        """Say where a CW came from; nothing where the client is too old."""
        self._send(channel, info)

    # Inside.

    def _receive(self, message_id: int, message: ClientSays) -> None:
        match message:
            case ClientInfo(version, text):
                self.client = message
                if text.startswith(LocalDemuxProgram.ENIGMA2.value):
                    self._expects_local_demux(LocalDemuxProgram.ENIGMA2)
                self._events.append(ClientIntroduced(version, text))
            case CaPmt():
                self._look_at_sender(message)
                channel = Channel(message.adapter, message_id)
                self._events.append(ServiceListed(channel, message))
            case Stop(number):
                self._events.append(Stopped(number))
            case FilterData(demux, number, section):
                if (demux, number) in self._filters:
                    self._events.append(SectionReceived(demux, number, section))
                else:
                    self._events.append(SectionIgnored(demux, number, len(section)))
            case MessageIgnored() | SectionIgnored():
                self._events.append(message)

    def _look_at_sender(self, pmt: CaPmt) -> None:
        """Recognise programs without a greeting by what only they send."""
        if self.version == 0 and pmt.uses is not None:
            self._expects_local_demux(LocalDemuxProgram.ENIGMA2)
        elif self.version == 0 and pmt.trailing == 1:
            self._expects_local_demux(LocalDemuxProgram.MUMUDVB)

    def _expects_local_demux(self, program: LocalDemuxProgram) -> None:
        if self.local_demux is None:
            self.local_demux = program
            self._events.append(LocalDemuxExpected(program))

    def _send(self, channel: Channel, message: ServerMessage) -> None:
        if self.state is State.CLOSED or not self._knows(message.operation):
            return
        data = serialize_for_client(message, channel, self.version)
        if self._batch_size + len(data) > WRITE_LIMIT:
            self._end_batch()
        self._batch.append(data)
        self._batch_size += len(data)

    def _knows(self, operation: Operation) -> bool:
        if self.version < _SINCE.get(operation, 0):
            return False
        return self.local_demux is None or operation in _KNOWN_TO[self.local_demux]

    def _end_batch(self) -> None:
        if self._batch:
            self._writes.append(self._take_batch())

    def _take_batch(self) -> bytes:
        data = b"".join(self._batch)
        self._batch.clear()
        self._batch_size = 0
        return data

    def _close(self, reason: CloseReason, detail: str = "") -> None:
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            # What came before is void: who acted upon it would act upon a closed connection.
            self._events = [Closed(reason, detail)]
            self._writes.clear()
            self._batch.clear()
