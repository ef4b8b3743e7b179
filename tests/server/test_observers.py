"""What happens is told in its order, a slice at a time."""

import asyncio

import pytest

from cccamd.server import observers
from cccamd.server.observers import Observers
from cccamd.watch import Happening, SourceGone


def happening(number: int) -> Happening:
    return SourceGone(at=float(number), source="s")


class Told:
    """Observers, one of whom writes down what it was told."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.observers = Observers(on_failure=lambda name, error: None)
        self.observers.add(lambda happening: self.numbers.append(int(happening.at)))

    async def rest(self, count: int) -> None:
        async with asyncio.timeout(10.0):
            while len(self.numbers) < count:
                await asyncio.sleep(0)


async def test_what_is_told_at_once_waits_behind_what_waits() -> None:
    """To tell thousands that wait because one more is told at once would stop every answer."""
    told = Told()
    told.observers.tell(happening(0))
    assert told.numbers == [0]
    for number in range(1, 900):
        told.observers.later(told.observers.pass_on, happening(number))
    told.observers.tell(happening(900))
    assert told.numbers == [0]
    await told.rest(901)
    assert told.numbers == list(range(901))
    told.observers.tell(happening(901))
    assert told.numbers[-1] == 901


@pytest.mark.pure_only("gives the module another limit")
async def test_beyond_the_limit_each_that_comes_has_one_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(observers, "WAITING_LIMIT", 10)
    told = Told()
    for number in range(100):
        told.observers.later(told.observers.pass_on, happening(number))
        assert len(told.numbers) == max(0, number - 9)
    await told.rest(100)
    assert told.numbers == list(range(100))
