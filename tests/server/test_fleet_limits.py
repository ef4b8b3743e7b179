"""The limits of an account over real servers around a real engine, and without it."""

from pathlib import Path

import pytest
from laboratory import TEST_CARD, Laboratory, ask, cards_of, expected_cw
from test_fleet_seats import folder as folder  # keys, and an engine that is tried again at once
from test_fleet_seats import is_up, node, until

from cccamd.net import FairPlay, Rates, fairness
from redisengine import engine, needs_redis

pytest.importorskip("hiredis")
pytestmark = needs_redis

ECM = b"\x80 of a channel"
RATE = 10
LIMITED = (
    f'{TEST_CARD}\n[[account]]\nuser = "anna"\nlogins = 3\n'
    f"[limits]\naccount_ecms_per_second = {RATE}\n"
)
NOTHING = Rates(0, 0, 0)


def fair(lab: Laboratory) -> FairPlay:
    return lab.server._context.fair


def debt(lab: Laboratory) -> float:
    """Seconds until the account may ask again."""
    now = lab.server._context.fair.rounds._loop.time()
    return fair(lab).account(b"anna", now).spend(NOTHING, fair(lab).limits.account, now)


def knows(lab: Laboratory, user: bytes = b"anna") -> bool:
    spending = fair(lab).spending
    return spending is not None and user in spending._elsewhere


async def test_what_an_account_asks_at_one_node_holds_it_back_at_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fairness, "MESSAGES_A_LOOK", 4)
    async with (
        engine(folder) as server,
        node("north", folder, server, LIMITED) as north,
        node("south", folder, server, LIMITED) as south,
        node("west", folder, server, LIMITED) as west,
        north.client() as one,
        south.client() as other,
    ):
        await cards_of(one, 3)
        await cards_of(other, 3)
        for number in range(8):
            ecm = ECM + bytes((number,))
            assert await ask(one, ecm) == expected_cw(ecm)
        await until(lambda: knows(south) and knows(west))
        assert not fair(south).held_back
        # As if somebody had asked for more, all at once.
        spending = fair(north).spending
        assert spending is not None
        spending.note(b"anna", Rates(50, 80, 500))
        await until(lambda: debt(south) and debt(west))
        for number in range(8):
            await ask(other, ECM + bytes((number, 1)))
        assert fair(south).held_back, "its own eight alone would not have"

        server.kill()
        await until(lambda: not is_up(north) and not is_up(west))
        before = debt(west)
        spending.note(b"anna", Rates(1000, 1e6, 1000))
        await server.start()
        await until(lambda: is_up(north) and is_up(west))
        await until(lambda: fair(north).spending is spending and not spending._untold)
        spending.note(b"ben", Rates(1, 1, 1))
        await until(lambda: knows(west, b"ben"))
        assert debt(west) <= before, "what was asked while nobody could be told is not told"
