"""A source that stalls, for real: the freeze is noticed, and what was around it is kept."""

import asyncio
from typing import Any

import pytest
from laboratory import HOST, ask, cards_of, expected_cw, running

from cccamd.watch import Freezes, Happening, Judges, watches
from cccamd.watch.journal import Kind, Scribe
from cccamd.why import judge_freeze, judge_receiver

PERIOD = 0.25


def ecm(turn: int) -> bytes:
    return bytes([0x80 + turn % 2]) + turn.to_bytes(4)


async def test_a_source_that_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "SHORTEST", 0.05)
    freezes, scribe = Freezes(Judges(freeze=judge_freeze, receiver=judge_receiver)), Scribe()
    written = []

    def observe(happening: Happening) -> None:
        for each in (happening, *freezes.observe(happening)):
            written.extend(scribe.observe(each))

    async with running() as far:
        cfg = f"C: {HOST} {far.port} anna secret\nF: anna secret"
        async with running(cfg, "[limits]\necm_deadline = 2\n") as near, near.client() as client:
            near.server.observe(observe)
            await cards_of(client)
            exchange = far.server._exchange
            request = exchange.request
            loop = asyncio.get_running_loop()

            def stall(*arguments: Any) -> None:
                loop.call_later(1.7 * PERIOD, lambda: request(*arguments))

            started = loop.time()
            for turn in range(6):
                await asyncio.sleep(max(0.0, started + turn * PERIOD - loop.time()))
                if turn == 5:
                    monkeypatch.setattr(exchange, "request", stall)
                assert await ask(client, ecm(turn)) == expected_cw(ecm(turn))
    report = freezes.report(0.0)
    (freeze,) = report.freezes
    assert freeze.over
    assert 0.4 * PERIOD < freeze.seconds < 1.2 * PERIOD
    assert freeze.source == f"{HOST}:{far.port}"
    assert "after its ECM was asked for" in freeze.cause
    assert any(f"{HOST}:{far.port} gave the CW after 0.4" in line for line in freeze.around)
    told = [entry for entry in written if entry.kind is Kind.FREEZE]
    assert [(entry.account, entry.until is None) for entry in told] == [
        ("anna", True),
        ("anna", False),
    ]
    visits = [entry for entry in written if entry.kind is Kind.VISIT]
    assert visits[-1].asked == visits[-1].answered == 6
