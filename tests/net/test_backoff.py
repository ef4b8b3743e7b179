"""Delays between attempts to connect."""

from hypothesis import given
from hypothesis import strategies as st

from cccamd.net import Backoff


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_delays_grow_up_to_a_bound_and_differ(numbers: list[float]) -> None:
    backoff = Backoff(first=1.0, most=60.0)
    for count, number in enumerate(numbers):
        longest = min(60.0, 2.0**count)
        assert longest / 2 <= backoff.next_delay(lambda number=number: number) <= longest
    backoff.reset()
    assert backoff.next_delay(lambda: 0.0) == 1.0
