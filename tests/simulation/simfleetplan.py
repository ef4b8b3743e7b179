"""What will happen in the run of a fleet, made from its seed before anything begins.

Seeds of fleets end with `f`. In every third only the engine and the ways to it fail, and cards do
not lie: these runs are lived through a second time by the same servers, each alone. Those of `fff`
have everything in them; those of `ff` are of before EMMs, and those of a single `f` of before much
else. They give the same runs as then.
"""

import random
from typing import Final

from simplan import Happening

TROUBLE: Final = 20.0
"""Virtual seconds."""

ENGINE: Final = {
    "the engine dies": 4, "the engine forgets": 3, "the engine evicts": 3, "the engine is slow": 3,
    "the engine hangs": 2, "pushes are lost": 3, "pushes are repeated": 2, "pushes are late": 3,
    "a node is cut off": 4, "the fleet is split": 3, "a wire breaks at a byte": 2,
}  # fmt: skip
"""Each with its weight."""
ALL: Final = ENGINE | {
    "a node is killed": 4, "a node stops": 2, "a client's line is cut": 3, "a client freezes": 4,
    "a client moves": 6, "a client leaves": 2, "a client comes": 2, "cards change": 4,
}  # fmt: skip

EVERYTHING: Final = ALL | {"a node reads its files": 8}


def is_fleet(seed: str) -> bool:
    return seed.endswith("f")


def fails_only_the_engine(seed: str) -> bool:
    """Whether no client may get less than it would have had without a fleet."""
    return int(seed.rstrip("f")) % 3 == 0


def has_everything(seed: str) -> bool:
    """Whether it is of the kind that is made for all that plays along now."""
    return seed.endswith("ff")


def has_emms(seed: str) -> bool:
    """Whether viewers send what is to keep cards up to date, too."""
    return seed.endswith("fff")


def fleet_happenings(seed: str) -> list[Happening]:
    """What will happen in the run of a seed."""
    chance = random.Random(f"{seed} happenings")
    known = EVERYTHING if has_everything(seed) else ALL
    known = ENGINE if fails_only_the_engine(seed) else known
    kinds = [what for what, weight in known.items() for _ in range(weight)]
    times = sorted(chance.uniform(0.5, TROUBLE) for _ in range(chance.randint(5, 16)))
    return [
        Happening(round(at, 3), chance.choice(kinds), f"{seed} {number}")
        for number, at in enumerate(times)
    ]
