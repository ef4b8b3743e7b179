"""A web context over hand-made values."""

from collections.abc import Callable
from typing import Any

from cccamd.facts import FreezeReport, Note, Snapshot
from cccamd.ids import Caid, Ident
from cccamd.server.snapshot import take_history
from cccamd.setup.cccamcfg import ChannelNames
from cccamd.watch import History
from cccamd.watch.metrics import Metrics
from cccamd.web import Login, WebContext
from cccamd.why import Explanation, Question
from fact_factory import CHANNEL_NAME

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


def a_context(
    snapshot: Callable[[], Snapshot],
    *,
    login: Login | None = None,
    history: History | None = None,
    notes: tuple[Note, ...] = (),
    explain: Callable[[Question], Explanation] | None = None,
    freezes: FreezeReport | None = None,
    admits: Callable[[str], bool] = lambda address: True,
) -> WebContext:
    """A context with anything given by name, and the rest plain."""
    return WebContext(
        snapshot=snapshot,
        history=lambda span: take_history(history or History(), span, NAMES),
        happenings=lambda: notes,
        explain=explain or an_explanation,
        freezes=lambda: freezes or FreezeReport(),
        channel_name=NAMES.name,
        metrics=Metrics(),
        provider_name=provider_name,
        login=lambda: login or Login(),
        admits=admits,
        program="cccamd-0.1.0",
    )
