"""Orders and answers as lines, and the server's side of one connection."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.acting import (
    Answer,
    ChangeLink,
    Debug,
    Kick,
    LinkAct,
    Order,
    OrderError,
    OrderTaker,
    Phase,
    Reload,
    ShowLog,
    Shown,
    Status,
    Unban,
    parse_answer,
    parse_order,
    serialize_answer,
    serialize_order,
)

WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), max_size=255)
ORDERS = st.one_of(
    st.builds(Reload),
    st.builds(Kick, WORDS),
    st.builds(ChangeLink, st.sampled_from(LinkAct), WORDS),
    st.builds(Unban, WORDS),
    st.builds(ShowLog, WORDS, st.booleans()),
    st.builds(Debug, WORDS, st.floats(0, 86_400)),
)


@given(ORDERS)
def test_an_order_is_one_line_and_comes_back(order: Order) -> None:
    line = serialize_order(order)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert parse_order(line) == order


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "no line of JSON"),
        (b"\xff", "no line of JSON"),
        (b"[" * 4000, "no line of JSON"),
        (b"[]", "no JSON object"),
        (b'{"verb": 1}', "the verb is none of reload, kick"),
        (b'{"verb": "stop"}', "the verb is none of reload, kick"),
        (b'{"verb": "kick"}', "kick needs whom"),
        (b'{"verb": "kick", "whom": 1}', "whom is no text"),
        (b'{"verb": "kick", "whom": "a\\u001b[2J"}', "whom is no text"),
        (b'{"verb": "reload", "now": true}', "reload does not know now"),
        (b'{"verb": "link", "act": "cut", "name": "x"}', "act is none of restart, pause, resume"),
        (b'{"verb": "debug", "account": "a", "seconds": 1e9}', "seconds is no number from 0"),
        (b'{"verb": "debug", "account": "a", "seconds": NaN}', "seconds is no number from 0"),
        (b'{"verb": "debug", "account": "a", "seconds": true}', "seconds is no number from 0"),
        (b'{"verb": "log", "follow": "yes"}', "follow is neither"),
    ],
)
def test_what_is_no_order_is_named(line: bytes, words: str) -> None:
    with pytest.raises(OrderError, match=words):
        parse_order(line)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_order_or_an_error(data: bytes) -> None:
    taker = OrderTaker(0.0)
    taker.receive_data(data + b"\n")
    if taker.take_order() is None:
        answer = parse_answer(taker.data_to_send())
        assert isinstance(answer, Answer)
        assert answer.status is Status.UNUSABLE
        assert taker.phase is Phase.OVER


def test_an_order_in_pieces_is_taken_once_and_answered_once() -> None:
    taker = OrderTaker(0.0)
    for byte in serialize_order(Kick("anna")):
        assert taker.take_order() is None
        taker.receive_data(bytes([byte]))
    taker.receive_data(serialize_order(Kick("ben")))
    assert taker.take_order() == Kick("anna")
    assert taker.take_order() is None
    assert taker.next_deadline() is None
    taker.show("a line")
    taker.answer(Answer(text="done", data={"kicked": ["anna"]}))
    taker.answer(Answer(text="twice"))
    taker.show("too late")
    lines = taker.data_to_send().splitlines()
    assert [parse_answer(line) for line in lines] == [
        Shown("a line"),
        Answer(text="done", data={"kicked": ["anna"]}),
    ]


def test_an_order_without_end_and_one_that_does_not_come_are_refused() -> None:
    long = OrderTaker(0.0)
    for _ in range(100):
        long.receive_data(100 * b"x")
    assert b"at most 4096 bytes" in long.data_to_send()
    slow = OrderTaker(5.0)
    deadline = slow.next_deadline()
    assert deadline == 15.0
    slow.handle_deadline(14.9)
    assert slow.phase is Phase.WAITING
    slow.handle_deadline(deadline)
    assert json.loads(slow.data_to_send())["text"] == "no order came within 10 s"


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"[" * 4000, b'{"status": 9, "text": ""}'])
def test_what_is_no_answer_is_an_error(line: bytes) -> None:
    with pytest.raises(OrderError):
        parse_answer(line)
    assert parse_answer(serialize_answer(Shown("x"))) == Shown("x")
