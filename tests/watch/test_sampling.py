"""What is looked at when there is very much to look at."""

from collections import Counter

from cccamd.watch import Sampler
from cccamd.watch.throttle import ROUND


def watch(sampler: Sampler, *, per_second: int, seconds: int) -> Counter[int]:
    """How many happenings each of 64 subjects was told to have had."""
    counted: Counter[int] = Counter()
    for n in range(per_second * seconds):
        counted[n % 64] += sampler.weight(n % 64)
        if n % ROUND == 0:
            sampler.measure(6000.0 + n / per_second)
    return counted


def test_a_household_is_looked_at_in_full() -> None:
    assert set(watch(Sampler(), per_second=64, seconds=10).values()) == {10}


def test_under_great_load_some_subjects_stand_for_all() -> None:
    sampler = Sampler()
    watch(sampler, per_second=3000, seconds=1)
    counted = watch(sampler, per_second=3000, seconds=10)
    assert sampler.every == 8
    assert abs(sum(counted.values()) - 30_000) < 1500
    assert len([subject for subject, number in counted.items() if number > 10]) == 8


def test_it_ends_when_the_load_ends() -> None:
    sampler = Sampler()
    watch(sampler, per_second=5000, seconds=1)
    assert sampler.every > 1
    sampler.measure(9000.0)
    assert sampler.every == 1
