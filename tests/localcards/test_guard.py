import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from cccamd.ids import Caid, Ident, Sid
from cccamd.localcards import (
    CannotDecode,
    CardConfig,
    CardOptions,
    CardUnavailable,
    EmmRefused,
    GuardedCard,
    GuardLimits,
    ImmediateCard,
    LocalCard,
    start_card,
)
from cccamd.localcards.testcard import TestCard
from cccamd.values import ControlWords

WORDS = ControlWords(bytes(15) + b"\1")
CONFIG = CardConfig(name="lab", caid=Caid(0xFF01), sids=(Sid(1), Sid(2)))
LIMITS = GuardLimits(
    start_timeout=0.05, decode_timeout=0.05, emm_timeout=0.05, close_timeout=0.05, slow=0.02
)

Decode = Callable[[bytes], Awaitable[object]]


class PlugIn(LocalCard):
    """Decodes with whatever function a test gives it."""

    behaviour: Decode

    async def decode(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords:
        return await self.behaviour(ecm)  # type: ignore[return-value]

    async def handle_emm(self, emm: bytes) -> None:
        await self.behaviour(emm)


def guard(behaviour: Decode, told: list[str], **limits: int) -> GuardedCard:
    card = PlugIn(CONFIG, CardOptions())
    card.behaviour = behaviour
    limited = GuardLimits(decode_timeout=0.05, emm_timeout=0.05, slow=0.02, **limits)
    return GuardedCard(card, CONFIG, report=told.append, limits=limited)


async def ask(card: GuardedCard, sid: int = 1) -> ControlWords:
    return await card.decode(b"\x80\x70\x01\x00", ident=Ident(0), sid=Sid(sid))


async def answers(ecm: bytes) -> object:
    await asyncio.sleep(0)
    return WORDS


async def raises(ecm: bytes) -> object:
    raise ValueError("key 00112233 is wrong")


async def quits(ecm: bytes) -> object:
    raise SystemExit(1)


async def interrupts(ecm: bytes) -> object:
    raise KeyboardInterrupt


async def interrupts_later(ecm: bytes) -> object:
    await asyncio.sleep(0)
    raise KeyboardInterrupt


async def ends_the_generator(ecm: bytes) -> object:
    await asyncio.sleep(0)
    raise GeneratorExit


async def raises_something_else(ecm: bytes) -> object:
    raise BaseException("key 00112233")


async def cancels_itself(ecm: bytes) -> object:
    raise asyncio.CancelledError


async def times_out_itself(ecm: bytes) -> object:
    raise TimeoutError


async def hangs(ecm: bytes) -> object:
    await asyncio.sleep(60)
    return WORDS


async def hangs_and_lies(ecm: bytes) -> object:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        raise RuntimeError from None
    return WORDS


async def returns_bytes(ecm: bytes) -> object:
    return bytes(16)


async def returns_nothing(ecm: bytes) -> object:
    return None


async def blocks(ecm: bytes) -> object:
    await asyncio.sleep(0)
    time.sleep(0.03)
    await asyncio.sleep(0)
    return WORDS


async def refuses(ecm: bytes) -> object:
    raise CannotDecode("no such service")


async def is_away(ecm: bytes) -> object:
    raise CardUnavailable("the tape is rewinding")


async def test_a_good_plug_in_answers() -> None:
    told: list[str] = []
    assert await ask(guard(answers, told)) is WORDS
    assert told == []


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (raises, r"decode raised ValueError in test_guard.py line \d+$"),
        (quits, r"decode raised SystemExit"),
        (interrupts, r"decode raised KeyboardInterrupt"),
        (interrupts_later, r"decode raised KeyboardInterrupt"),
        (ends_the_generator, r"decode raised GeneratorExit"),
        (raises_something_else, r"decode raised BaseException"),
        (cancels_itself, r"decode cancelled itself"),
        (times_out_itself, r"decode raised TimeoutError"),
        (hangs, r"decode did not finish within 0.05 s"),
        (hangs_and_lies, r"decode did not finish within 0.05 s"),
        (returns_bytes, r"decode returned bytes instead of ControlWords"),
        (returns_nothing, r"decode returned NoneType instead of ControlWords"),
    ],
)
async def test_faults_become_card_unavailable(behaviour: Decode, reason: str) -> None:
    told: list[str] = []
    with pytest.raises(CardUnavailable, match=reason):
        await ask(guard(behaviour, told))
    assert len(told) == 1
    assert told[0].startswith("card lab: decode ")
    assert "00112233" not in told[0], "foreign texts may repeat a key"


async def test_one_that_swallows_its_cancellation_holds_nobody_and_is_counted() -> None:
    told: list[str] = []
    card = guard(stubborn := Stubborn(), told, decode_limit=2)
    for _ in range(2):
        with pytest.raises(CardUnavailable, match="did not finish within"):
            await asyncio.wait_for(ask(card), 2.0)
    assert "goes on though it was cancelled" in told[0]
    with pytest.raises(CardUnavailable, match="busy with 2 others"):
        await ask(card)
    stubborn.enough.set()
    await asyncio.sleep(0.01)
    with pytest.raises(CardUnavailable, match="returned NoneType"):
        await ask(card)


class Stubborn:
    """Waits for what comes, whoever cancels it."""

    def __init__(self) -> None:
        self.enough = asyncio.Event()

    async def __call__(self, ecm: bytes) -> object:
        while not self.enough.is_set():
            try:
                await self.enough.wait()
            except asyncio.CancelledError:
                continue
        return None


class Interrupts(TestCard):
    def decode_now(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords | None:
        raise KeyboardInterrupt


async def test_an_interrupt_in_the_short_way_is_a_fault_like_others() -> None:
    card = GuardedCard(Interrupts(CONFIG, CardOptions()), CONFIG, report=[].append)
    with pytest.raises(CardUnavailable, match="decode_now raised KeyboardInterrupt"):
        await ask(card)


@pytest.mark.parametrize(
    ("behaviour", "error", "reason"),
    [
        (refuses, CannotDecode, "no such service"),
        (is_away, CardUnavailable, "the tape is rewinding"),
    ],
)
async def test_what_a_card_says_is_passed_on(
    behaviour: Decode, error: type[Exception], reason: str
) -> None:
    told: list[str] = []
    with pytest.raises(error, match=reason):
        await ask(guard(behaviour, told))
    assert told == []


class NotAsync(PlugIn):
    def decode(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords:  # type: ignore[override]
        return WORDS


async def test_a_plain_function_is_explained() -> None:
    card = GuardedCard(NotAsync(CONFIG, CardOptions()), CONFIG, report=[].append)
    with pytest.raises(CardUnavailable, match="decode failed: it is not an async function"):
        await ask(card)


async def test_blocking_is_measured_and_reported() -> None:
    told: list[str] = []
    assert await ask(guard(blocks, told)) is WORDS
    assert len(told) == 1
    assert "held the whole server up for" in told[0]


class Talkative(PlugIn):
    warnings = ("x" * 5_000_000,)  # type: ignore[assignment]


async def test_what_a_card_warns_of_is_no_book() -> None:
    told: list[str] = []
    assert await start_card(Talkative, CONFIG, CardOptions(), report=told.append)
    assert [len(each) for each in told] == [len("card lab: ") + 1000]


class Immediate(ImmediateCard):
    Options = CardOptions

    def decode_now(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords:
        time.sleep(0.03)
        return WORDS


@pytest.mark.parametrize("is_busy", [False, True])
async def test_no_card_is_blamed_while_the_machine_is_busy_with_others(
    monkeypatch: pytest.MonkeyPatch, is_busy: bool
) -> None:
    waited = time.perf_counter if is_busy else lambda: 0.0
    monkeypatch.setattr("cccamd.machine.processor.waited_for_processor", waited)
    told: list[str] = []
    await ask(guard(blocks, told))
    card = GuardedCard(
        Immediate(CONFIG, CardOptions()), CONFIG, report=told.append, limits=GuardLimits(slow=0.02)
    )
    await ask(card)
    assert len(told) == (0 if is_busy else 2)


async def test_the_same_trouble_is_reported_once_a_minute() -> None:
    told: list[str] = []
    card = guard(raises, told)
    for _ in range(3):
        with pytest.raises(CardUnavailable):
            await ask(card)
    assert len(told) == 1


async def test_a_cancelled_caller_is_cancelled() -> None:
    told: list[str] = []
    card = guard(hangs, told)
    task = asyncio.get_running_loop().create_task(ask(card))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == []


async def test_too_many_decodes_at_once_are_refused_and_the_books_balance() -> None:
    told: list[str] = []
    card = guard(hangs, told, decode_limit=2)
    results = await asyncio.gather(*(ask(card) for _ in range(4)), return_exceptions=True)
    reasons = sorted(str(result) for result in results)
    assert ["did not finish" in reason for reason in reasons] == [True, True, False, False]
    assert "busy with 2 others" in reasons[3]
    with pytest.raises(CardUnavailable, match="did not finish"):
        await ask(card)


async def test_other_services_are_refused() -> None:
    card = guard(answers, [])
    with pytest.raises(CannotDecode, match="does not serve service 0003"):
        await ask(card, sid=3)
    assert await ask(card, sid=0) is WORDS, "the client did not say which service"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [(raises, "handle_emm raised ValueError"), (hangs, "handle_emm did not finish")],
)
async def test_emm_faults_are_refusals(behaviour: Decode, reason: str) -> None:
    with pytest.raises(EmmRefused, match=reason):
        await guard(behaviour, []).handle_emm(b"")


async def test_kinds_without_emms_refuse_them() -> None:
    card = await start_card(TestCard, CONFIG, CardOptions(), report=pytest.fail)
    assert card is not None
    with pytest.raises(EmmRefused, match="takes no EMMs"):
        await card.handle_emm(b"\x82\x70\x00")


class FailsToBuild(PlugIn):
    def __init__(self, config: CardConfig, options: CardOptions) -> None:
        raise ValueError("key 00112233 is wrong")


class FailsToStart(PlugIn):
    async def start(self) -> None:
        raise CardUnavailable("tape.txt: no such file")


class HangsAtStart(PlugIn):
    async def start(self) -> None:
        await asyncio.sleep(60)


class OddAddress(PlugIn):
    @property
    def ua(self) -> bytes:
        return b"\1"


class FailsTwice(FailsToStart):
    async def close(self) -> None:
        raise OSError


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        (FailsToBuild, ["building it raised ValueError"]),
        (FailsToStart, ["start failed: tape.txt: no such file"]),
        (HangsAtStart, ["start did not finish within 0.05 s"]),
        (OddAddress, ["start failed: ua is not 8 bytes"]),
        (FailsTwice, ["start failed: tape.txt: no such file", "close raised OSError"]),
    ],
)
async def test_a_card_that_does_not_start_is_reported(
    kind: type[LocalCard], reasons: list[str]
) -> None:
    told: list[str] = []
    started = await start_card(kind, CONFIG, CardOptions(), report=told.append, limits=LIMITS)
    assert started is None
    for line, reason in zip(told, reasons, strict=True):
        assert line.startswith(f"card lab: {reason}")


class Addressed(PlugIn):
    ua = bytes(range(8))  # type: ignore[assignment]
    warnings = ("the battery is low",)  # type: ignore[assignment]

    def sa(self, ident: Ident) -> bytes:
        return ident.to_bytes(4)


async def test_addresses_are_known_after_the_start() -> None:
    told: list[str] = []
    config = CardConfig(name="lab", caid=Caid(1), providers=(Ident(1), Ident(2)))
    card = await start_card(Addressed, config, CardOptions(), report=told.append)
    assert card is not None
    assert card.ua == bytes(range(8))
    assert card.providers == ((1, b"\0\0\0\1"), (2, b"\0\0\0\2"))
    assert told == ["card lab: the battery is low"]
