"""The record of one client: the answer first, then what counts it, in the order it happened."""

import asyncio

import pytest

from cccamd.cards import Card
from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.routing import Result, Trace
from cccamd.server.loglines import DoorLog
from cccamd.server.observers import Observers
from cccamd.server.record import ClientRecord, RecordContext
from cccamd.server.usage import Totals
from cccamd.values import ControlWords, Fingerprint, Refusal, Request, with_checksums
from cccamd.watch import Happening
from cccamd.wire.link import Closed, CloseReason

REQUEST = Request(Caid(0x0B00), Ident(0x030B00), ShareId(0), Sid(1), b"\x80ecm")
CW = ControlWords(with_checksums(bytes(range(16))))


class Book:
    def __init__(self, *, fails: int = 0) -> None:
        self.told: list[str] = []
        self.failures: list[str] = []
        self.fails = fails
        observers = self.observers = Observers(on_failure=self._note)
        observers.add(self._take)
        self.record = ClientRecord(
            RecordContext(
                observers=observers,
                totals=Totals(),
                door_log=DoorLog(),
                source_of=self._source_of,
                show_timing=lambda: False,
                note_trace=lambda account, at, trace: None,
            )
        )

    def _note(self, name: str, error: BaseException) -> None:
        self.failures.append(name)

    def _take(self, happening: Happening) -> None:
        self.told.append(type(happening).__name__)

    def _source_of(self, card: Card) -> None:
        if self.fails:
            self.fails -= 1
            raise ZeroDivisionError

    def answer(self, answer: ControlWords | Refusal) -> None:
        card = Card.__new__(Card) if isinstance(answer, ControlWords) else None
        trace = Trace(REQUEST, Fingerprint(b"f" * 16), 1.0, 1.5, Result.ANSWERED, card, [])
        self.record.answered(REQUEST, answer, trace, seconds=0.5)


async def test_an_answer_is_counted_and_told_when_the_turn_of_the_loop_is_over() -> None:
    book = Book()
    book.answer(CW)
    assert (book.record.usage.ecms_answered, book.told) == (0, [])
    await asyncio.sleep(0)
    assert (book.record.usage.ecms_answered, book.told) == (1, ["EcmFinished"])


async def test_a_client_that_left_has_its_last_answer_told_before_that() -> None:
    book = Book()
    book.answer(CW)
    book.record.logged_out(Closed(CloseReason.PEER_CLOSED))
    await asyncio.sleep(0)
    assert book.told == ["EcmFinished", "ClientLoggedOut"]


async def test_the_log_tells_of_an_answer_before_anything_that_comes_after_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", logger="cccamd.client")
    book = Book()
    book.answer(Refusal.CANNOT_DECODE)
    book.record.debug("next")
    first, second = (record.getMessage() for record in caplog.records)
    assert "NOK2" in first
    assert second.endswith("next")


async def test_an_answer_that_cannot_be_counted_costs_the_next_ones_nothing() -> None:
    book = Book(fails=1)
    book.answer(CW)
    book.answer(CW)
    await asyncio.sleep(0)
    assert book.failures == ["counting what was answered"]
    assert (book.record.usage.ecms_answered, book.told) == (1, ["EcmFinished"])
