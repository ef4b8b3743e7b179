"""What both sides of a newcamd connection have in common: frames, cipher, the end.

Theory of operation. A frame is cut and deciphered one at a time, because a message may change
the cipher of what follows. Whatever cannot be read as a frame ends the connection; a message that
nobody needs does not.
"""

from abc import ABC, abstractmethod
from typing import Final, Generic, TypeVar

from cccamd.wire.link import CLOSED_BY_PEER, Closed, CloseReason, Loss, Remark, State
from cccamd.wire.newcamd.events import MessageIgnored
from cccamd.wire.newcamd.frames import (
    Form,
    Frame,
    FrameCutter,
    FrameError,
    Header,
    Random,
    decipher,
    make_message,
    parse_frame,
    serialize_frame,
)
from cccamd.wire.newcamd.keys import FrameCipher

LOGIN_TIMEOUT: Final = 10.0
"""Seconds that a server waits for a login."""

E = TypeVar("E")

_PHASES: Final = {
    State.HANDSHAKE: "during the login",
    State.INTRODUCTION: "after the login, before the card data",
}


class Endpoint(ABC, Generic[E]):
    """One connection, either side, without a socket and without a clock."""

    _cipher: FrameCipher

    def __init__(self, *, config_key: bytes, random: Random, now: float) -> None:
        self.state = State.HANDSHAKE
        self.form = Form.F525
        self._config_key = config_key
        self._random = random
        self._now = now
        self._frames = FrameCutter()
        self._out: list[bytes] = []
        self._events: list[E | Remark | Closed] = []

    def receive_eof(self, now: float, loss: Loss = CLOSED_BY_PEER) -> None:
        """Take note that the peer is gone."""
        self._now = now
        parts = (_PHASES.get(self.state, ""), loss.said)
        self._close(loss.reason, ": ".join(part for part in parts if part))

    def events_received(self) -> list[E | Remark | Closed]:
        """Hand over what happened since the last call, in order; after the end only `Closed`."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """Hand over the bytes that must be written now, in one piece: whole frames."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # For the two sides.

    @abstractmethod
    def _receive_body(self, body: bytes) -> None:
        """Take in one frame.

        Raises:
            FrameError: it cannot be read.
        """

    def _receive_frames(self) -> None:
        """Take in what is there, until the connection ends or somebody has to decide."""
        try:
            while not self._waits and (body := self._frames.next()) is not None:
                self._receive_body(body)
        except FrameError as error:
            self._close(CloseReason.UNREADABLE, str(error))

    @property
    def _waits(self) -> bool:
        """Whether what comes has to wait."""
        return self.state is State.CLOSED

    def _read(self, body: bytes) -> Frame:
        return parse_frame(decipher(body, self._cipher), self.form)

    def _send(self, header: Header, command: int, data: bytes = b"", flags: int = 0) -> None:
        self._send_message(header, make_message(command, data, flags))

    def _send_message(self, header: Header, message: bytes) -> None:
        if self.state is not State.CLOSED:
            frame = serialize_frame(
                header, message, form=self.form, cipher=self._cipher, random=self._random
            )
            self._out.append(frame)

    def _ignore(self, frame: Frame) -> None:
        self._events.append(MessageIgnored(frame.command, len(frame.data)))

    def _close(self, reason: CloseReason, detail: str = "") -> None:
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            # What came before is void: who acted upon it would act upon a closed connection.
            self._events = [Closed(reason, detail)]
