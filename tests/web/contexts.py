"""A web context over hand-made values."""

import time
from collections.abc import Callable
from typing import Any

from cccamd.facts import EcmResult, Freeze, FreezeReport, Incident, Note, Snapshot
from cccamd.ids import Caid, Ident
from cccamd.server.snapshot import find_channels, take_history
from cccamd.setup.cccamcfg import ChannelNames, InfoPort
from cccamd.watch import EcmFinished, History, SourceAnswered
from cccamd.watch.metrics.counting import Metrics
from cccamd.web import WebContext
from cccamd.why import (
    Diagnosis,
    EcmStory,
    Explanation,
    Finding,
    Question,
    Setting,
    StoryStep,
    Weight,
)
from fact_factory import (
    CHANNEL_NAME,
    NOW,
    UPSTREAM,
    a_freeze,
    a_household,
    a_margin,
    a_note,
    a_service,
    an_incident,
)

PROVIDER_NAME = "ARD"


NAMES = ChannelNames(names={(0x0500, 0x032830, 0x1D80): CHANNEL_NAME})


def provider_name(caid: Caid, ident: Ident) -> str | None:
    """The one provider that has a name."""
    return PROVIDER_NAME if (caid, ident) == (0x0100, 0x68) else None


def an_explanation(question: Question, **words: Any) -> Explanation:
    """Everything given by name, and the rest empty."""
    empty: dict[str, Any] = {"findings": (), "sources": (), "cards": (), "ecms": ()}
    empty |= {"at": 0.0, "live": True, "summary": "so it is", "cards_left_out": 0}
    asked = {"account": question.account or "", "service": question.service}
    return Explanation(**(empty | asked | words))


def fail(name: str, error: BaseException) -> None:
    """No page may fail."""
    raise AssertionError(name) from error


def a_context(
    snapshot: Callable[[], Snapshot],
    *,
    login: InfoPort | None = None,
    history: History | None = None,
    notes: tuple[Note, ...] = (),
    explain: Callable[[Question], Explanation] | None = None,
    incidents: tuple[Incident, ...] = (),
    freezes: FreezeReport | None = None,
    admits: Callable[[str], bool] = lambda address: True,
) -> WebContext:
    """A context with anything given by name, and the rest plain."""

    async def healthy() -> tuple[Diagnosis, ...]:
        return ()

    async def look() -> Snapshot:
        return snapshot()

    async def explain_soon(question: Question) -> Explanation:
        return (explain or an_explanation)(question)

    async def report() -> FreezeReport:
        return freezes or FreezeReport()

    async def find_freeze(number: int) -> Freeze | None:
        known = freezes.freezes if freezes else ()
        return next((freeze for freeze in known if freeze.number == number), None)

    return WebContext(
        snapshot=look,
        history=lambda span: take_history(history or History(), span, NAMES),
        happenings=lambda: notes,
        explain=explain_soon,
        incidents=lambda: incidents,
        freezes=report,
        freeze=find_freeze,
        channel_name=NAMES.name,
        check_up=healthy,
        journal=lambda: None,
        find_channels=lambda words, most: find_channels(NAMES, words, most),
        metrics=Metrics(),
        provider_name=provider_name,
        login=lambda: login or InfoPort(),
        admits=admits,
        hosts=lambda: (),
        check_login=take_as_given,
        program="cccamd-0.1.0",
        on_failure=fail,
    )


# With something of everything.

SERVICE = a_service()
FREEZES = FreezeReport(channels=(a_margin(margin=3.25),), freezes=(a_freeze(),))
NOTES = (a_note(),)


def a_history() -> History:
    """One answer of one channel and of one source, just now."""
    history = History()
    at = time.time() - 1
    numbers = {"caid": SERVICE.caid, "ident": SERVICE.ident, "sid": SERVICE.sid}
    history.observe(
        EcmFinished(
            at=at,
            account="living",
            parity=0x80,
            fingerprint=b"1",
            result=EcmResult.CW,
            seconds=0.25,
            source=UPSTREAM,
            cached=False,
            **numbers,  # type: ignore[arg-type]
        )
    )
    history.observe(
        SourceAnswered(at=at, source=UPSTREAM, result=EcmResult.CW, seconds=0.2, **numbers)  # type: ignore[arg-type]
    )
    return history


def explain(question: Question) -> Explanation:
    """Say what was asked."""
    setting = Setting(name="the F-line", file="/etc/CCcam.cfg", line=3)
    finding = Finding(code="limited", weight=Weight.BAD, text="a mask", setting=setting)
    story = EcmStory(
        account="living",
        at=NOW,
        service="0500:032830:1D80",
        answered=True,
        result="the CW was given",
        seconds=0.2,
        source=UPSTREAM,
        why="it was the only one",
        considered=(),
        steps=(StoryStep(milliseconds=0.0, source=UPSTREAM, text="is asked"),),
    )
    return an_explanation(question, summary=repr(question), findings=(finding,), ecms=(story,))


def full_context(snapshot: Snapshot | None = None) -> WebContext:
    return a_context(
        lambda: snapshot or a_household(),
        history=a_history(),
        notes=NOTES,
        incidents=(an_incident(), an_incident("b:1", number=2, ended_at=NOW)),
        freezes=FREEZES,
        explain=explain,
    )


async def take_as_given(address: str, user: bytes, right: bool) -> bool:
    """No brake on guessing."""
    return right
