"""Our median is that of the library which is too large for it."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from cccamd.watch import median


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=12))
def test_the_median(values: list[float]) -> None:
    assert median(values) == statistics.median(values)
    assert median(iter(values)) == median(values)
