"""What is looked at when there is very much to look at."""

from collections import Counter

from cccamd.diag import Sampler


def test_a_household_is_looked_at_in_full() -> None:
    sampler = Sampler(rate=400)
    assert {sampler.weight(n % 50, now=n / 100) for n in range(5000)} == {1}


def test_under_great_load_some_subjects_stand_for_all() -> None:
    sampler = Sampler(rate=400)
    counted: Counter[int] = Counter()
    told = 0
    for n in range(30_000):
        weight = sampler.weight(n % 64, now=n / 3000)
        if n >= 6000:
            counted[n % 64] += weight
            told += weight > 0
    assert abs(sum(counted.values()) - 24_000) < 1500
    assert told < 24_000 / 7
    assert len([key for key, number in counted.items() if number]) == 8


def test_it_ends_when_the_load_ends() -> None:
    sampler = Sampler(rate=10)
    for n in range(1000):
        sampler.weight(n, now=5.0)
    sampler.weight(1, now=6.0)
    assert sampler.every > 1
    sampler.weight(1, now=7.0)
    assert sampler.every == 1
