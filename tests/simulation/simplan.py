"""What will happen in a run, made from its seed before anything begins.

There are three kinds of seeds. `1048` is of the first days: clients, upstreams, a card, faults and
strangers that speak CCcam. `1048+` has newcamd clients, guessers, ports that move and an onlooker
as well. `1048++` has all that, and N-lines, dvbapi, paired servers and somebody at the controls:
its runs are shorter, for there is more in them. Seeds of one kind give the same runs for ever, for
what they found is to be looked for as long as there is the simulation.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LASTS: Final = 24.0
"""Virtual seconds of trouble."""
SHORTER: Final = (4.0, 7.0, 7.0, 12.0)
"""The same, in runs with all of it."""

WHAT: Final = {
    "cut": 8, "stop": 4, "cut at a byte": 6, "stranger": 8, "upstream dies": 4,
    "upstream returns": 4, "withdrawal": 6, "change of heart": 5, "wall clock": 2, "suspend": 1,
    "reload": 3, "client leaves": 3, "client comes": 4, "reads no more": 2, "rush": 4,
}  # fmt: skip
"""Each with its weight."""
WHAT_ELSE: Final = {"guessing": 3}
"""In runs with `+`."""
ALL_ELSE: Final = {
    "guessing": 5, "kick": 4, "link by hand": 6, "unban": 4, "account off": 6, "account on": 2,
    "pairing": 5, "knock at the TLS port": 5, "in between": 2,
}  # fmt: skip
"""In runs with `++`."""


@dataclass(frozen=True)
class Happening:
    """Something that happens at a time of its own."""

    at: float
    what: str
    seed: str

    def __str__(self) -> str:
        return f"{self.at:6.2f} s  {self.what}"


def has_newcamd(seed: str) -> bool:
    """Whether newcamd clients, guessers, ports that move and an onlooker play along."""
    return seed.endswith("+")


def has_all(seed: str) -> bool:
    """Whether N-lines, dvbapi, paired servers and somebody at the controls play along, too."""
    return seed.endswith("++")


def lasts(seed: str) -> float:
    """How many virtual seconds of trouble a run has."""
    return random.Random(f"{seed} length").choice(SHORTER) if has_all(seed) else LASTS


def happenings(seed: str) -> list[Happening]:
    """What will happen in the run of a seed."""
    chance = random.Random(f"{seed} happenings")
    known = WHAT | (ALL_ELSE if has_all(seed) else WHAT_ELSE if has_newcamd(seed) else {})
    kinds = [what for what, weight in known.items() for _ in range(weight)]
    long = lasts(seed)
    count = chance.randint(10, 30) if long == LASTS else round(long * (0.7 + chance.random()))
    times = sorted(chance.uniform(0.5, long) for _ in range(count))
    return [
        Happening(round(at, 3), chance.choice(kinds), f"{seed} {number}")
        for number, at in enumerate(times)
    ]


def left_out(count: int, fails: Callable[[list[int]], bool], tries: int) -> list[int]:
    """Of so many happenings of a run that fails, find those without which it fails as well."""
    found: list[int] = []
    for number in range(min(count, tries)):
        if fails([*found, number]):
            found.append(number)
    return found
