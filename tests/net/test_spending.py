"""Limits of accounts over several nodes: buckets that are told of each other each second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.net import FairLimits, FairPlay, Rates, Spending
from cccamd.net import spending as spending_module
from cccamd.net.quota import BURST, TOLD_MOST, Quota

RATE = 10.0
RATES = Rates(float("inf"), RATE, float("inf"))
NOTHING = Rates(0, 0, 0)
MOST = 5
"""ECMs that are taken before it is looked at the bucket."""
TOLD_EVERY = 1.0


def ecms(number: float) -> Rates:
    return Rates(0, number, 0)


class Fleet:
    """Nodes with a bucket each, and clients of one account that ask whenever they are let."""

    def __init__(self, nodes: int) -> None:
        self.now = 0.0
        self.quotas = [Quota(RATES, 0.0) for _ in range(nodes)]
        self.spendings = [Spending() for _ in range(nodes)]
        self.took = 0.0

    def ask(self, node: int, number: int) -> None:
        quota = self.quotas[node]
        if quota.spend(NOTHING, RATES, self.now):
            return  # in debt: it has to wait
        quota.spend(ecms(number), RATES, self.now)
        self.spendings[node].note(b"anna", ecms(number))
        self.took += number

    def tell(self, *, is_heard: bool = True) -> None:
        for node, spending in enumerate(self.spendings):
            for _, spent in spending.take(1):
                for other, quota in enumerate(self.quotas):
                    if other != node and is_heard:
                        quota.deduct(spent, RATES, self.now)


asks = st.lists(st.tuples(st.integers(0, 4), st.integers(0, MOST), st.floats(0, 0.2)), max_size=80)


@given(st.integers(1, 5), asks)
def test_a_fleet_gives_its_rate_and_once_a_burst_and_a_second_for_each_node(
    nodes: int, steps: list[tuple[int, int, float]]
) -> None:
    fleet, told_at = Fleet(nodes), 0.0
    for node, number, passed in steps:
        fleet.now += passed
        if fleet.now >= told_at + TOLD_EVERY:
            told_at = fleet.now
            fleet.tell()
        fleet.ask(node % nodes, number)
    late = TOLD_EVERY + 0.2
    once = nodes * (BURST * RATE + late * RATE + MOST)
    assert fleet.took <= RATE * fleet.now + once + 1e-6


def greedy(nodes: int, seconds: float, *, told: bool = True) -> list[float]:
    """Clients at all nodes ask as much as they are let: what they got by then, each second."""
    fleet, got = Fleet(nodes), []
    for tick in range(int(seconds * 20)):
        fleet.now = tick / 20
        for node in range(nodes):
            fleet.ask(node, MOST)
        if tick % 20 == 19:
            fleet.tell(is_heard=told)
            got.append(fleet.took)
    return got


@pytest.mark.parametrize(("nodes", "seconds"), [(2, 900.0), (3, 900.0), (50, 200.0)])
def test_in_the_long_run_an_account_gets_its_rate_however_many_nodes_there_are(
    nodes: int, seconds: float
) -> None:
    got = greedy(nodes, seconds)
    once = nodes * (BURST * RATE + RATE + MOST)
    assert got[0] >= nodes * BURST * RATE, "nobody is asked before it is given"
    assert all(total <= RATE * (second + 1) + once for second, total in enumerate(got))
    assert got[-1] >= RATE * seconds * 0.95, "and it gets that"


def test_without_the_engine_each_node_goes_by_its_own() -> None:
    assert greedy(3, 60.0, told=False)[-1] >= 3 * RATE * 60.0 * 0.95


def test_what_another_node_says_beyond_what_it_can_have_had_does_not_count() -> None:
    quota = Quota(RATES, 0.0)
    quota.deduct(Rates(7, 1e15, 9), RATES, 0.0)
    assert quota.spend(NOTHING, RATES, 0.0) == TOLD_MOST - BURST
    assert quota.asked == 0, "nobody asked it here"


async def test_what_is_told_is_remembered_without_a_connection_here_and_until_the_bucket_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fair = FairPlay(FairLimits(account=RATES))
    fair.spending = Spending()
    fair.spent_elsewhere(b"anna", ecms(BURST * RATE + 30), 0.0)
    assert fair.account(b"anna", 0.0).spend(NOTHING, RATES, 0.0) == 3.0
    fair.spent_elsewhere(b"ben", ecms(1), 4.9)
    assert set(fair._accounts) == {b"anna", b"ben"}
    fair.spent_elsewhere(b"ben", ecms(1), 5.0)
    assert set(fair._accounts) == {b"ben"}, "hers is full again"
    monkeypatch.setattr(spending_module, "ACCOUNTS_LIMIT", 3)
    for number in range(9):
        fair.spent_elsewhere(b"%d" % number, ecms(20), 5.0)
    assert len(fair._accounts) == 3
    fair.spent_elsewhere(b"6", ecms(20), 5.0)
    fair.spent_elsewhere(b"9", ecms(20), 5.0)
    assert set(fair._accounts) == {b"8", b"6", b"9"}, "who was told of longest ago goes"
    fair.spending = None
    fair.spent_elsewhere(b"carl", ecms(1), 5.0)
    assert b"carl" not in fair._accounts


def test_what_waits_to_be_told_is_added_up_bounded_and_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spending_module, "ACCOUNTS_LIMIT", 3)
    spending = Spending()
    for number in range(9):
        spending.note(b"%d" % number, ecms(1))
    spending.note(b"0", Rates(2, 3, 4))
    assert list(spending.take(2)) == [(b"0", Rates(2, 4, 4)), (b"1", ecms(1))]
    assert list(spending.take(9)) == [(b"2", ecms(1))]
    spending.note(b"0", ecms(1))
    spending.forget()
    assert not list(spending.take(9))
