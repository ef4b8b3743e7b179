"""Floods fill no log."""

from cccamd.watch import Throttle


def test_the_first_are_told_the_rest_counted() -> None:
    throttle: Throttle[str] = Throttle(others="others", burst=2, window=60.0)
    assert [throttle.admits("flood", 0.0) for _ in range(5)] == [True, True, False, False, False]
    assert throttle.admits("other", 1.0)
    assert throttle.ended(59.0) == []
    assert throttle.ended(60.0) == [("flood", 3)]
    assert throttle.admits("flood", 60.0)
    assert throttle.ended(1000.0) == []


def test_a_flood_of_causes_takes_bounded_memory() -> None:
    throttle: Throttle[int] = Throttle(others=-1, burst=1)
    told = sum(throttle.admits(key, 0.0) for key in range(10_000))
    assert told == len(throttle._windows) < 5000
    assert throttle.ended(60.0) == [(-1, 10_000 - told)]


def test_where_causes_are_anybodys_choice_fewer_are_told_apart() -> None:
    throttle: Throttle[int] = Throttle(others=-1, burst=2, keys=3)
    told = sum(throttle.admits(key, 0.0) for key in range(100) for _ in range(3))
    assert told == 2 * 3 + 2  # three causes, and all others together
    assert throttle.ended(60.0)[-1] == (-1, 3 * 97 - 2)
