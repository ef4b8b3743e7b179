"""Why one card was asked before another, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.routing import Rank
from cccamd.why.stories import difference

EQUAL = Rank(standby=0, failing=False, order=0, remote=True, wait=2, hop=1, source=1, share_id=1)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("standby", 1, "only stands by"),
        ("failing", True, "the other gave no CW lately, or was late"),
        ("order", 1, "the P-line of CCcam.prio"),
        ("remote", True, "a card of our own"),
        ("wait", 6, "it answers within 100 ms as a rule, the other within 300 ms"),
        ("hop", 2, "it is at hop 1, the other at hop 2"),
        ("source", 2, "both are equally good"),
    ],
)
def test_the_first_difference_tells(field: str, value: int, words: str) -> None:
    first = EQUAL._replace(remote=False) if field == "remote" else EQUAL
    assert words in difference(first, EQUAL._replace(**{field: value}))


RANKS = st.builds(
    Rank,
    standby=st.integers(0, 2),
    failing=st.booleans(),
    order=st.integers(0, 2),
    remote=st.booleans(),
    wait=st.integers(1, 3),
    hop=st.integers(0, 3),
    source=st.integers(1, 3),
    share_id=st.integers(1, 3),
)


@given(RANKS, RANKS, RANKS)
def test_what_comes_later_in_the_rank_does_not_matter(one: Rank, other: Rank, tail: Rank) -> None:
    first, second = sorted((one, other))
    for place, (left, right) in enumerate(zip(first, second, strict=True)):
        if left != right:
            other_tail = Rank(*second[: place + 1], *tail[place + 1 :])
            assert difference(first, other_tail) == difference(first, second)
            return
