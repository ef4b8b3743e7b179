"""The server's side of one connection to the control socket. Sans-IO.

Theory of operation. A connection carries one order. It is *waiting* for it, then it is *busy*
until `answer`, and then *over*; a line that is no order, is too long, or does not come in time
is answered with what is wrong, and that is the end, too. What comes after the order is not read.
"""

from enum import Enum
from typing import Final

from cccamd.acting.orders import (
    LINE_LIMIT,
    Answer,
    Order,
    OrderError,
    Shown,
    Status,
    parse_order,
    serialize_answer,
)

PATIENCE: Final = 10.0
"""Seconds for the order to come."""


class Phase(Enum):
    """Where a connection is."""

    WAITING = "waiting"
    BUSY = "busy"
    OVER = "over"


class OrderTaker:
    """Takes one order, and says what came of it."""

    def __init__(self, now: float) -> None:
        """`now`, here and below: seconds of any monotonic clock."""
        self.phase = Phase.WAITING
        self._deadline = now + PATIENCE
        self._buffer = bytearray()
        self._out = bytearray()
        self._order: Order | None = None

    def receive_data(self, data: bytes) -> None:
        """Take bytes in; look at `take_order` then."""
        if self.phase is not Phase.WAITING:
            return
        self._buffer += data[: LINE_LIMIT + 1]
        line, end, _ = self._buffer.partition(b"\n")
        if not end and len(line) <= LINE_LIMIT:
            return
        if len(line) > LINE_LIMIT:
            self._refuse(f"an order has at most {LINE_LIMIT} bytes")
            return
        try:
            self._order = parse_order(bytes(line))
        except OrderError as error:
            self._refuse(str(error))
            return
        self.phase = Phase.BUSY
        self._buffer.clear()

    def next_deadline(self) -> float | None:
        """When to call `handle_deadline`; None: never."""
        return self._deadline if self.phase is Phase.WAITING else None

    def handle_deadline(self, now: float) -> None:
        """Time has passed."""
        if self.phase is Phase.WAITING and now >= self._deadline:
            self._refuse(f"no order came within {PATIENCE:.0f} s")

    def take_order(self) -> Order | None:
        """The order to carry out, once."""
        order, self._order = self._order, None
        return order

    def show(self, text: str) -> None:
        """Say something before the answer."""
        if self.phase is not Phase.OVER:
            self._out += serialize_answer(Shown(text))

    def answer(self, answer: Answer) -> None:
        """Say what came of it: the last that is said."""
        if self.phase is not Phase.OVER:
            self._out += serialize_answer(answer)
            self.phase = Phase.OVER
            self._buffer.clear()

    def data_to_send(self) -> bytes:
        """Write all of it; close the connection after that if it is over."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def _refuse(self, why: str) -> None:
        self.answer(Answer(status=Status.UNUSABLE, text=why))
