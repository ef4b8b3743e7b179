"""When an account is open."""

from hypothesis import given
from hypothesis import strategies as st

from cccamd.setup.hours import TimeFrame, is_open

NOON_TO_FIVE, LATE = TimeFrame(720, 1020), TimeFrame(1320, 120)


def test_the_frames_of_the_manual() -> None:
    frames = (NOON_TO_FIVE, LATE)
    opened = [minute for minute in range(1440) if is_open(frames, minute)]
    assert opened == [*range(120), *range(720, 1020), *range(1320, 1440)]


def test_no_frames_are_always_and_equal_ends_never() -> None:
    assert is_open((), 0)
    assert not any(is_open((TimeFrame(60, 60),), minute) for minute in range(1440))
    assert all(is_open((TimeFrame(0, 1440),), minute) for minute in range(1440))


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_a_frame_and_its_reverse_share_the_day(begin: int, end: int, minute: int) -> None:
    if begin != end:
        reverse = is_open((TimeFrame(end, begin),), minute)
        assert is_open((TimeFrame(begin, end),), minute) != reverse
