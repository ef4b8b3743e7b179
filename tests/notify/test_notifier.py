"""Real messages over apprise to a real HTTP server."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from test_outbox import incident

from cccamd.net import TaskSet
from cccamd.notify import Notifier, Rules, ServiceError, open_service
from cccamd.watch import IncidentBegan, IncidentEnded, SourceUp
from messagebox import mailbox

AT_ONCE = Rules(after=0.0)


@asynccontextmanager
async def notifying() -> AsyncIterator[tuple[Notifier, dict[str, str]]]:
    said: dict[str, str] = {}
    failures: list[object] = []
    tasks = TaskSet(on_failure=lambda *what: failures.append(what))
    notifier = Notifier(tasks, lambda setting, text: said.__setitem__(setting, text))
    yield notifier, said
    await tasks.cancel()
    assert not failures


async def look_until(notifier: Notifier, now: float, reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20.0):
        while not reached():
            notifier.look(now)
            await asyncio.sleep(0.01)


async def test_messages_arrive_and_a_service_that_refuses_is_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with mailbox() as good, mailbox() as bad, notifying() as (notifier, said):
        bad.answer = "500 No"
        await notifier.adopt((good.url, bad.url), AT_ONCE)
        now = time.monotonic()  # the library is loaded by now, which may take seconds
        notifier.observe(IncidentBegan(at=0.0, incident=incident()))
        notifier.look(now + 1)
        notifier.look(now + 1)
        await look_until(notifier, now + 1, lambda: bool(said["[notify] urls"]))
        await good.until(1)
        assert (
            said["[notify] urls"]
            == "number 2 of [notify] urls (json) takes no messages; waiting: 1"
        )
        bad.answer, knocks = "200 OK", bad.knocks
        notifier.look(now + 30)
        assert not notifier._lines[bad.url].is_sending
        assert bad.knocks == knocks == 1
        await look_until(notifier, now + 31, lambda: not said["[notify] urls"])
        assert good.got[0]["title"] == "source down: s1.example:12000"
        assert good.got[0]["type"] == "warning"
        assert [each["message"] for each in bad.got] == [good.got[0]["message"]]
        assert "until now" not in good.got[0]["message"]
        notifier.observe(IncidentEnded(at=0.0, incident=incident()))
        await look_until(notifier, now + 1000, lambda: len(good.got) + len(bad.got) == 4)
        assert [each["type"] for each in good.got] == ["warning", "success"]
    assert "hunter2" not in caplog.text
    assert not [each for each in caplog.records if each.name.startswith(("apprise", "urllib3"))]


async def test_what_a_service_has_not_taken_is_kept_for_it_over_reloads_also_with_faults() -> None:
    async with mailbox() as box, notifying() as (notifier, said):
        box.answer = "500 No"
        await notifier.adopt(("nothing://x", box.url), AT_ONCE)
        now = time.monotonic()
        notifier.observe(IncidentBegan(at=0.0, incident=incident()))
        await look_until(notifier, now + 1, lambda: "waiting: 1" in said["[notify] urls"])
        box.answer = "200 OK"
        await notifier.adopt((box.url,), AT_ONCE)
        assert said["[notify] urls"].startswith("number 1 of [notify] urls (json)")
        await look_until(notifier, now + 31, lambda: not said["[notify] urls"])
        assert [each["title"] for each in box.got] == ["source down: s1.example:12000"]


async def test_messages_that_make_way_are_counted_and_told_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cccamd.notify.notifier.KEPT", 3)
    monkeypatch.setattr("cccamd.notify.outbox.TOGETHER", 9)
    async with mailbox() as box, notifying() as (notifier, said):
        box.answer = "500 No"
        await notifier.adopt((box.url,), AT_ONCE)
        now = time.monotonic()
        notifier.observe(IncidentBegan(at=0.0, incident=incident(1)))
        await look_until(notifier, now + 1, lambda: "waiting: 1" in said["[notify] urls"])
        told = []
        for number in range(2, 7):
            notifier.observe(IncidentBegan(at=0.0, incident=incident(number)))
            notifier.look(now + number)
            told.append(said["[notify] urls"].partition("; ")[2])
        assert told == [
            *("waiting: 2", "waiting: 3", "waiting: 3, made way for newer ones: 1"),
            *("waiting: 3, made way for newer ones: 2", "waiting: 3, made way for newer ones: 3"),
        ]
        assert caplog.text.count("takes no messages") == 2, "at first, and when the first is lost"
        box.answer = "200 OK"
        await look_until(notifier, now + 31, lambda: len(box.got) == 3)
        assert said["[notify] urls"] == ""
        assert ["source" in each["title"] for each in box.got] == [True] * 3
        made_way = ["3 messages before this made way" in each["message"] for each in box.got]
        assert made_way == [True, False, False]


async def test_a_source_that_is_back_is_a_reason_to_try_again_and_half_a_minute_is_kept() -> None:
    async with mailbox() as box, notifying() as (notifier, said):
        box.answer = "500 No"
        await notifier.adopt((box.url,), AT_ONCE)
        now = time.monotonic()
        notifier.observe(IncidentBegan(at=0.0, incident=incident()))
        await look_until(notifier, now + 1, lambda: bool(said["[notify] urls"]))
        await look_until(notifier, now + 32, lambda: box.knocks == 2)
        await look_until(notifier, now + 32, lambda: not notifier._lines[box.url].is_sending)
        box.answer = "200 OK"
        notifier.observe(SourceUp(at=0.0, source="a:1"))
        notifier.look(now + 61)
        assert not notifier._lines[box.url].is_sending
        await look_until(notifier, now + 63, lambda: bool(box.got))
        assert "could not be sent until now" in box.got[0]["message"], "it may be over by then"


async def test_who_is_added_is_told_of_what_goes_on_and_of_nothing_else() -> None:
    async with mailbox() as box, notifying() as (notifier, _):
        for number in (1, 2):
            notifier.observe(IncidentBegan(at=0.0, incident=incident(number)))
        notifier.observe(IncidentEnded(at=0.0, incident=incident(1)))
        await notifier.adopt((box.url,), AT_ONCE)
        now = time.monotonic()
        await look_until(notifier, now + 1, lambda: bool(box.got))
        notifier.look(now + 1000)
        await asyncio.sleep(0.05)
        assert [each["title"] for each in box.got] == ["source down: s2.example:12000"]
        assert not [case for case in notifier._outbox._cases.values() if case.ended_at]


@pytest.mark.parametrize("url", ["nothing://hunter2", "json://", "mailto://hunter2", "x://\0"])
def test_an_address_that_nothing_can_be_sent_to_is_named_without_its_secrets(url: str) -> None:
    with pytest.raises(ServiceError) as found:
        open_service(3, url)
    assert "number 3 of [notify] urls" in str(found.value)
    assert "hunter2" not in str(found.value)
