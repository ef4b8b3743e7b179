"""Which EMMs are passed on: the carousel once a minute, floods and global ones hardly."""

from itertools import count

import pytest
from desk import Desk
from network import CAID

from cccamd.cards import Card, LocalOffer
from cccamd.ids import Ident
from cccamd.routing import EmmGate, EmmVerdict
from cccamd.routing.emms import Bucket, is_global
from cccamd.values import Provider

UA = bytes.fromhex("0000000012345678")
SA = bytes.fromhex("0000aa01")


def a_card(desk: Desk, *, local: bool = False) -> Card:
    """A card with an address and a shared one."""
    if not local:
        return desk.upstream("a")
    source = desk.table.add_source()
    providers = (Provider(Ident(0x030B00), SA),)
    desk.table.add_local(source, LocalOffer(caid=CAID, ua=UA, providers=providers))
    return desk.table.cards_of(source)[0]


def decide(
    gate: EmmGate,
    card: Card | None,
    emm: bytes,
    now: float = 0.0,
    *,
    client: object = "anna",
    allowed: bool = True,
) -> EmmVerdict:
    return gate.decide(client, card, emm, allowed=allowed, now=now)  # type: ignore[arg-type]


def test_who_may_not_and_what_names_no_card() -> None:
    gate, card = EmmGate(), a_card(Desk())
    assert decide(gate, card, b"emm", allowed=False) is EmmVerdict.NOT_ALLOWED
    assert decide(gate, None, b"emm") is EmmVerdict.NO_CARD
    assert decide(gate, card, b"emm") is EmmVerdict.PASSED


def test_a_card_gets_the_same_emm_once_a_minute_whoever_sends_it() -> None:
    desk = Desk()
    gate, one, two = EmmGate(), a_card(desk), a_card(desk)
    assert decide(gate, one, b"emm", 0.0) is EmmVerdict.PASSED
    assert decide(gate, one, b"emm", 59.9, client="ben") is EmmVerdict.REPEATED
    assert decide(gate, two, b"emm", 1.0) is EmmVerdict.PASSED
    assert decide(gate, one, b"another", 1.0) is EmmVerdict.PASSED
    assert decide(gate, one, b"emm", 60.0) is EmmVerdict.PASSED
    assert decide(gate, one, b"emm", 119.0) is EmmVerdict.REPEATED


def test_a_client_may_send_fifty_at_once_and_five_per_second() -> None:
    gate, card, numbers = EmmGate(), a_card(Desk()), count()

    def passed(now: float, client: str = "anna") -> int:
        emms = (next(numbers).to_bytes(4) for _ in range(80))
        verdicts = [decide(gate, card, emm, now, client=client) for emm in emms]
        assert set(verdicts) <= {EmmVerdict.PASSED, EmmVerdict.TOO_MANY}
        return verdicts.count(EmmVerdict.PASSED)

    assert passed(100.0) == 50
    assert passed(100.0, "ben") == 50
    assert passed(102.0) == 10
    assert passed(1000.0) == 50
    gate.forget("anna")  # type: ignore[arg-type]
    assert passed(1000.0) == 50, "it came anew"
    gate.forget("nobody")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("setting", "passed"), [(0, []), (1, [0.0, 10.0, 20.0]), (2, [0.0, 5.0, 10.0, 15.0, 20.0])]
)
def test_global_emms_of_upstreams_are_rationed(setting: int, passed: list[float]) -> None:
    desk = Desk()
    gate, card = EmmGate(global_emms=setting), a_card(desk)
    now, got = 0.0, []
    for number in range(5):
        verdict = decide(gate, card, b"to all %d" % number, now)
        assert verdict in (EmmVerdict.PASSED, EmmVerdict.GLOBAL)
        if verdict is EmmVerdict.PASSED:
            got.append(now)
        now += 5.0
    assert got == passed
    other = decide(gate, a_card(desk), b"to all", 0.0)
    assert (other is EmmVerdict.PASSED) == (setting > 0), "each card has its own ration"


def test_our_own_cards_hear_every_global_emm() -> None:
    gate, card = EmmGate(global_emms=0), a_card(Desk(), local=True)
    assert decide(gate, card, b"to all 1") is EmmVerdict.PASSED
    assert decide(gate, card, b"to all 2") is EmmVerdict.PASSED


def test_an_emm_is_global_that_holds_no_address_of_the_card() -> None:
    card = a_card(Desk(), local=True)
    assert is_global(card, b"\x82to all")
    assert not is_global(card, b"\x82" + UA[-4:] + b"more")
    assert not is_global(card, b"\x82" + SA + b"more")
    assert is_global(card, b"\x82" + UA[-3:] + SA[:3])
    nameless = a_card(Desk())
    assert is_global(nameless, bytes(20)), "no address is not the address of zeros"


def test_what_is_remembered_is_bounded() -> None:
    gate, card = EmmGate(), a_card(Desk())
    for number in range(10_001):
        decide(gate, card, number.to_bytes(4), number / 1000, client=number)
        if number == 5000:
            gate.forget(4)  # type: ignore[arg-type]
    assert decide(gate, card, (1).to_bytes(4), 11.0, client="x") is EmmVerdict.REPEATED
    assert decide(gate, card, (0).to_bytes(4), 11.0, client="y") is EmmVerdict.PASSED
    assert decide(gate, card, (2).to_bytes(4), 11.0, client="z") is EmmVerdict.REPEATED


def test_what_was_passed_anew_is_remembered_longest() -> None:
    gate, card = EmmGate(), a_card(Desk())
    for number in range(10_000):
        decide(gate, card, number.to_bytes(4), 0.0, client=number)
    assert decide(gate, card, (0).to_bytes(4), 60.0) is EmmVerdict.PASSED
    assert decide(gate, card, b"one more", 60.0) is EmmVerdict.PASSED
    assert decide(gate, card, (0).to_bytes(4), 61.0) is EmmVerdict.REPEATED


def test_a_bucket_does_not_fill_when_the_clock_stands_or_goes_back() -> None:
    bucket = Bucket(rate=1.0, burst=2)
    assert [bucket.take(10.0) for _ in range(3)] == [True, True, False]
    assert not bucket.take(9.0)
    assert bucket.take(10.0), "one second after nine"
    assert not bucket.take(10.9)
    assert bucket.take(12.0)
