"""Whatever happens in between, the broker ends up with what is wanted and nothing else."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from cccamd.mqtt.board import REFRESH, Board

TOPICS = st.sampled_from([f"t/{number}" for number in range(8)])
WANTED = st.dictionaries(TOPICS, st.sampled_from([b"1", b"2", b"3"]))


def settle(board: Board, broker: dict[str, bytes], now: float, most: int = 3) -> int:
    """Give the broker what is due, a few at a time; how many publications that were."""
    count = 0
    while due := board.take(most, now):
        assert len(due) <= most
        for topic, payload in due:
            broker.pop(topic, None)
            if payload:
                broker[topic] = payload
        count += len(due)
    return count


@given(
    st.dictionaries(TOPICS, st.just(b"of before")),
    st.lists(st.tuples(WANTED, st.integers(0, 3), st.sampled_from(["", "lost", "empty", "late"]))),
    WANTED,
)
def test_the_broker_has_what_is_wanted_in_the_end(
    before: Mapping[str, bytes],
    events: list[tuple[Mapping[str, bytes], int, str]],
    wanted: Mapping[str, bytes],
) -> None:
    broker, board = dict(before), Board(repeats=lambda _: False)
    for topic in before:
        board.found(topic)
    for now, (passing, most, event) in enumerate(events):
        board.want(passing)
        for topic, payload in board.take(most, now):
            if event == "late":  # the session is lost before it arrives
                continue
            broker.pop(topic, None)
            if payload:
                broker[topic] = payload
        if event == "empty":  # it was started anew, and keeps nothing
            broker.clear()
        if event:
            board.forget()
            for topic in broker:  # a new session is told what is there
                board.found(topic)
    board.want(wanted)
    settle(board, broker, 1000.0)
    assert broker == dict(wanted)
    assert board.is_true
    assert settle(board, broker, 1000.0) == 0, "what has not changed is not published"


def test_values_are_repeated_before_they_expire_and_documents_are_not() -> None:
    broker: dict[str, bytes] = {}
    board = Board(repeats=lambda topic: topic.startswith("tv/"))
    board.want({"ha/config": b"{}", "tv/server": b"1"})
    assert settle(board, broker, 10.0) == 2
    assert board.take(9, 10.0 + REFRESH - 1) == []
    assert board.take(9, 10.0 + REFRESH) == [("tv/server", b"1")]


def test_nothing_is_cleared_before_it_is_known_what_is_wanted() -> None:
    board = Board(repeats=lambda _: False)
    board.found("tv/receiver/anna")
    assert board.take(9, 0.0) == []
