"""Receivers that behave as if their picture stood still; and those that only look like it."""

import pytest
from broadcast import SOURCE, START, Evening

from cccamd.facts import ReceiverFinding, ReceiverTrouble, Verdict
from cccamd.values import Outcome
from cccamd.watch import SeenReceiver, SeenWay


def evening(turns: int = 10) -> Evening:
    made = Evening()
    made.watch(range(turns))
    stays(made)
    return made


def stays(made: Evening, account: str = "anna", *, way: SeenWay | None = None) -> None:
    """The connection is alive; all that it asked has been told."""
    made.seen[account] = SeenReceiver(made.now, way)


def found(made: Evening) -> list[ReceiverFinding]:
    return list(made.freezes.report(made.now).receivers)


def until_noticed(made: Evening, since: float) -> ReceiverFinding:
    """Within two crypto periods after it should have asked."""
    made.wait(since + 2 * made.period + 1)
    (finding,) = found(made)
    assert (finding.account, finding.sid) == ("anna", 1)
    assert finding.change
    return finding


# It asks no more: nothing is wrong.


def test_turning_off_the_tv_is_no_trouble_but_is_noted() -> None:
    made = evening()
    assert made.channel().quiet_at is None
    made.wait(112)
    assert not found(made)
    assert made.channel().quiet_at == pytest.approx(START + 90.1)
    made.wait(200)
    assert not found(made)
    assert not made.told
    assert not made.freezes.report(made.now).channels


def test_zapping_to_a_free_channel_is_no_trouble() -> None:
    made = evening()
    made.ask(10, 0.8)  # a little slow
    stays(made)
    made.wait(200)
    assert not found(made)


def test_logging_out_is_no_trouble() -> None:
    made = evening()
    made.ask(10, 4.6)
    made.leave()
    made.wait(200)
    assert not found(made)
    made = evening()
    made.ask(10, 4.6)
    del made.seen["anna"]  # its connection is gone, and nobody has told yet
    made.wait(200)
    assert not found(made)


def test_zapping_to_a_scrambled_channel_is_no_trouble() -> None:
    made = evening()
    made.ask(10, 4.6)
    made.ask(11, sid=2)
    made.watch(range(12, 16), sid=2)
    assert not found(made)


def test_zapping_over_a_channel_that_nobody_has_is_no_trouble() -> None:
    made = Evening()
    for turn in range(10):  # others have it, so its period is known
        made.ask(turn)
        made.ask(turn, account="ben", sid=2)
    made.ask(10, outcome=Outcome.CANNOT_DECODE, sid=2)
    stays(made)
    made.wait(124)
    assert made.channel(sid=2).quiet_at is not None
    made.wait(200)
    assert not found(made)


def test_who_is_left_out_under_great_load_has_not_stopped() -> None:
    made = evening()
    made.ask(10, 4.6)
    made.wait(104.6)
    made.seen["anna"] = SeenReceiver(START + 110, None)  # it asked since, untold
    made.wait(125)
    assert not found(made)
    assert made.channel().quiet_at is None


# It asks no more: something was wrong before.


def test_it_stopped_after_a_slow_answer() -> None:
    made = evening()
    made.ask(10, 3.6)
    stays(made)
    finding = until_noticed(made, 100)
    assert (finding.trouble, finding.verdict) == (ReceiverTrouble.STOPPED, Verdict.SOURCE_LATE)
    assert "its last answer took 3.6 s" in finding.cause
    assert finding.at == pytest.approx(START + 103.6)


def test_it_stopped_after_a_refusal() -> None:
    made = evening()
    made.ask(10, 0.2, Outcome.REFUSED)
    stays(made)
    finding = until_noticed(made, 100)
    assert finding.verdict is Verdict.SOURCE_REFUSED
    assert finding.cause == f"it gave up after a refusal: {SOURCE} refused for now"
    assert any("asked, NOK1 after 0.20 s" in line for line in finding.evidence)


def test_it_stopped_after_a_doubtful_cw() -> None:
    made = evening()
    made.ask(10, tried=((SOURCE, Outcome.REPEATED), (SOURCE, Outcome.ANSWERED)))
    stays(made)
    finding = until_noticed(made, 100)
    assert finding.verdict is Verdict.WRONG_CW
    assert (
        finding.cause == f"its last CW is doubtful: {SOURCE} repeated the CW of the period before"
    )


def test_it_stopped_after_asking_again_and_again() -> None:
    made = evening()
    for late in (0.0, 2.0, 4.0):
        made.ask(10, late=late)
    stays(made)
    finding = until_noticed(made, 104)
    assert finding.verdict is Verdict.WRONG_CW
    assert "it had asked 3 times for one ECM" in finding.cause


def test_it_stopped_because_the_way_is_cut() -> None:
    made = evening()
    made.ask(10)
    way = SeenWay(made.now, 0.002, 0.001, 4, unheard=12.0)
    stays(made, way=way)
    finding = until_noticed(made, 100)
    assert finding.verdict is Verdict.NETWORK
    assert "it has acknowledged nothing for 12.0 s" in finding.cause


@pytest.mark.parametrize("sid", [1, 2])
def test_whatever_it_asks_next_is_a_sign_of_life(sid: int) -> None:
    made = evening()
    made.ask(10, 3.6)
    stays(made)
    until_noticed(made, 100)
    assert made.freezes.attended == {("anna", 0)}
    made.ask(16, sid=sid, weight=0)
    assert not found(made)
    assert not made.freezes.attended


def test_it_is_over_when_it_leaves_and_when_nobody_waits_any_more() -> None:
    made = evening()
    made.ask(10, 3.6)
    stays(made)
    until_noticed(made, 100)
    made.wait(660)
    assert len(found(made)) == 1
    made.wait(706)
    assert not found(made)
    made = evening()
    made.ask(10, 3.6)
    stays(made)
    until_noticed(made, 100)
    made.leave()
    assert not found(made)


# It goes on asking, and is not helped.


def test_it_asks_for_one_ecm_again_and_again() -> None:
    made = evening()
    for late in (0.0, 4.0, 8.0):
        made.ask(10, late=late)
        assert not found(made)
    made.ask(10, late=12.0)
    (finding,) = found(made)
    assert (finding.trouble, finding.verdict) == (ReceiverTrouble.REPEATS, Verdict.WRONG_CW)
    assert "it asked 4 times for one ECM, though each time it got the CW" in finding.cause
    made.ask(12)
    assert not found(made)


def test_others_go_on_while_it_asks_for_an_old_ecm() -> None:
    made = evening()
    made.watch(range(10), account="ben")
    for late in (0.0, 4.0, 8.0):
        made.ask(10, late=late)
    made.ask(11, account="ben")
    made.ask(10, late=12.0)
    (finding,) = found(made)
    assert finding.verdict is Verdict.RECEIVER
    assert "others have gone on to newer keys" in finding.cause


def test_asking_twice_is_no_trouble() -> None:
    made = evening()
    for turn in range(10, 20):
        for late in (0.0, 0.5, 1.0, 2.0):
            made.ask(turn, late=late)
    assert not found(made)


def test_it_keeps_to_one_parity() -> None:
    made = evening()
    made.watch(range(10), account="ben")
    for turn in range(10, 15):
        assert not found(made)
        made.ask(turn, account="ben")
        made.ask(turn, parity=0x80, late=0.2)
    (finding,) = found(made)
    assert finding.account == "anna"
    assert (finding.trouble, finding.verdict) == (ReceiverTrouble.ONE_PARITY, Verdict.RECEIVER)
    assert "while others ask for both" in finding.cause
    made.ask(15, parity=0x81)
    assert not found(made)
    assert not made.freezes.attended


def test_a_broadcast_that_keeps_to_one_parity_is_not_the_receivers_fault() -> None:
    made = evening()
    for turn in range(10, 15):
        made.ask(turn, parity=0x80)
    (finding,) = found(made)
    assert finding.verdict is Verdict.STREAM


def test_what_is_left_out_under_great_load_is_not_taken_for_one_parity() -> None:
    """Of five hundred receivers each had every other request told, and was told to be stuck: who
    seems so is attended first, and judged by what it asks from then on."""
    made = evening()
    for turn in (10, 12, 14, 16):
        assert made.freezes.attended == ({("anna", 0)} if turn == 16 else set())
        made.ask(turn)
    for turn in (17, 18):
        made.ask(turn)
    assert not made.freezes.attended
    for turn in (20, 22, 23, 25, 27, 28):
        made.ask(turn)
    assert not found(made)


@pytest.mark.parametrize("ended", ["it logs out", "it watches nothing any more"])
def test_a_suspicion_ends_with_what_it_is_about(ended: str) -> None:
    made = evening()
    for turn in (10, 12, 14):
        made.ask(turn)
    assert made.freezes.attended
    if ended == "it logs out":
        made.leave()
    else:
        made.wait(1000)
    assert not made.freezes.attended


def test_one_ecm_that_was_missed_is_no_trouble() -> None:
    made = evening()
    for turn in (10, 12, 13, 15, 16, 18, 19):
        made.ask(turn)
    assert not found(made)


def test_a_broadcast_without_parity_is_no_trouble() -> None:
    made = Evening()
    made.watch(range(20), parity=0)
    made.wait(205)
    assert not found(made)
    made = Evening()
    made.watch(range(20), parity=0x80)  # never changes: that is its way
    assert not found(made)


def test_what_is_remembered_is_bounded() -> None:
    made = Evening()
    for number in range(1200):
        for turn in range(4):
            made.clock = 10.0 * turn
            made.ask(turn, account=f"a{number}")
        made.seen[f"a{number}"] = SeenReceiver(START, None)
    made.clock = 40.0
    for number in range(1200):
        made.clock = 40.0
        made.ask(4, 3.5, account=f"a{number}")
    made.wait(70)
    assert len(found(made)) == 1024
