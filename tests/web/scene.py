"""A household at one moment, made by hand, and the application that shows it."""

import math
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from cccamd.facts import (
    CardStatus,
    Cause,
    ClientStatus,
    EcmResult,
    Freeze,
    FreezeReport,
    Incident,
    LinkState,
    Margin,
    Revision,
    ServiceId,
    Snapshot,
    SourceKind,
    SourceStatus,
    Verdict,
)
from cccamd.ids import Caid, Ident, NodeId, ShareId
from cccamd.server.snapshot import find_channels, named_notes, take_history
from cccamd.setup.cccamcfg import ChannelNames, InfoPort
from cccamd.watch import (
    ClientLoggedIn,
    EcmFinished,
    Happening,
    History,
    LoginFailed,
    Notes,
    SourceAnswered,
    SourceDown,
)
from cccamd.watch.metrics.counting import Metrics
from cccamd.web import WebContext
from cccamd.web.app import create_app
from cccamd.why import (
    CardAnswer,
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
    a_card,
    a_client,
    a_freeze,
    a_margin,
    a_service,
    a_snapshot,
    a_source,
    an_incident,
    on_channel,
)

NOW = float(int(time.time()))
NEWS = a_service(0x0B00, 0x030B00, 0x1D80, "Nordlicht News HD")
SPORT = a_service(0x0B00, 0x030B00, 0x1D8A, "Sport Eins HD")
FEED = a_service(0x2600, 0, 0x0001, None)
NAMES = ChannelNames(
    names={(one.caid, one.ident, one.sid): one.name for one in (NEWS, SPORT) if one.name}
)
PROVIDERS = {(0x0B00, 0x030B00): "Northern Lights", (0x0500, 0x032830): "Sud TV"}


def node_id(number: int) -> NodeId:
    return NodeId(bytes.fromhex(f"5c1e{number:04x}a0b3c4d{number % 16:x}"))


def client(account: str, number: int, **changes: object) -> ClientStatus:
    fields: dict[str, object] = {
        "line": 10 + number,
        "address": f"192.168.1.{30 + number}",
        "port": 40000 + number,
        "revision": Revision.V2,
        "node_id": node_id(number),
        "connected_at": NOW - 5400 * number - 1260,
        "heard_at": NOW - 3 * number,
        "ecms_asked": 1218,
        "ecms_answered": 1218,
        "cards": 5,
        "service": NEWS,
        "last_source": "192.168.1.20:12000",
        "last_seconds": 0.124,
        "uses": (),
    }
    return a_client(account, **(fields | changes))


def source(name: str, **changes: object) -> SourceStatus:
    fields: dict[str, object] = {
        "line": 3,
        "up_at": NOW - 93600,
        "address": "192.168.1.20",
        "version": "2.3.0",
        "build": "3367",
        "revision": Revision.V2,
        "node_id": node_id(101),
        "in_flight": 0,
        "cards_by_hop": {1: 2, 2: 3},
        "asked": 2410,
        "answered": 2404,
        "usual_seconds": 0.118,
        "uses": (),
    }
    return a_source(name, **(fields | changes))


def card(source_name: str, number: int, caid: int, ident: int, **changes: object) -> CardStatus:
    fields: dict[str, object] = {
        "own_share_id": ShareId(0x900 + number),
        "caid": Caid(caid),
        "idents": (Ident(ident),),
        "reshare": 2,
        "path": (node_id(101),),
        "seen_by": ("bedroom", "livingroom"),
    }
    return a_card(source_name, number, **(fields | changes))


HOME = "192.168.1.20:12000"
ATTIC = "attic.example:12000"
LOCAL = "feed of our own"


def household() -> Snapshot:
    """Three receivers, one of them without cards; two links, one of them down; a local card."""
    return a_snapshot(
        at=NOW,
        started_at=NOW - 273723,
        program="cccamd v0.1.0",
        node_id=node_id(1),
        config_path="/var/etc/CCcam.cfg",
        accounts=("livingroom", "bedroom", "kids", "office", "workshop"),
        clients=(
            client("livingroom", 1, program="OSCam 11890", extended=True),
            client("bedroom", 2, service=FEED, last_source=LOCAL, last_seconds=0.0021),
            client(
                "kids",
                3,
                version="2.1.4",
                revision=Revision.V1,
                cards=0,
                service=SPORT,
                last_result=EcmResult.NOK1,
                last_source="",
                last_seconds=0.0004,
                ecms_answered=0,
                ecms_asked=14,
            ),
        ),
        sources=(
            source(
                LOCAL,
                kind=SourceKind.LOCAL,
                line=0,
                node_id=None,
                version="",
                revision=None,
                cards_by_hop={0: 1},
                asked=820,
                answered=820,
                usual_seconds=0.0019,
            ),
            source(HOME),
            source(
                ATTIC,
                line=4,
                state=LinkState.WAITING,
                up_at=None,
                next_attempt_at=NOW + 42,
                last_failure="the connection was refused: nothing listens on port 12000 there",
                version="",
                revision=None,
                node_id=None,
                cards_by_hop={},
                asked=0,
                answered=0,
                usual_seconds=None,
            ),
        ),
        cards=(
            card(LOCAL, 1, 0x2600, 0, hop=0, path=(), idents=()),
            card(HOME, 2, 0x0B00, 0x030B00),
            card(HOME, 3, 0x0500, 0x032830),
            card(HOME, 4, 0x0500, 0x032830, hop=2, path=(node_id(201), node_id(101))),
            card(HOME, 5, 0x1702, 0, hop=2, path=(node_id(202), node_id(101)), reshare=0),
            card(HOME, 6, 0x0D96, 4, hop=2, path=(node_id(202), node_id(101)), seen_by=()),
        ),
        ecms_total=24183,
        emms_total=612,
        logins_failed=2,
        connections_refused=0,
        pending_logins=0,
        peak_pending=3,
    )


def freezes() -> FreezeReport:
    """One picture that is going well, and one that froze a while ago."""
    watched = a_margin(
        "livingroom",
        **on_channel(NEWS),
        margin=9.1,
        margins=tuple(Margin(NOW + 10 * i, 9.1 - 6 * (i == -4)) for i in range(-11, 1)),
    )
    froze = a_freeze(
        "livingroom",
        **on_channel(NEWS),
        at=NOW - 1510,
        seconds=3.2,
        source=HOME,
        number=4,
        verdict=Verdict.SOURCE_LATE,
        cause="the CW came 13.2 s after its ECM was asked for; the key changes every 10.0 s",
        evidence=(
            "the receiver asked 0.1 s after the key had changed, as it always does",
            f"{HOME} was asked at once, and gave the CW after 13.2 s; usually within 0.2 s",
            "the way to it: round trip 0.4 ms, nothing lost",
        ),
        change=f"ask the owner of {HOME} what happened then, or add a second source",
        around=(
            "-9.9 s: attic.example:12000 went down: it went silent",
            "+3.2 s: 192.168.1.20:12000 gave the CW after 13.2 s",
        ),
    )
    return FreezeReport(channels=(watched,), freezes=(froze,))


def wrong() -> tuple[Incident, ...]:
    """What is wrong in this household, and what was."""
    down = an_incident(
        ATTIC,
        text="is down: the connection was refused: nothing listens on port 12000 there",
        change="ask its owner whether the server runs",
        began_at=NOW - 300,
        suffering=0,
        sufferers=(),
        evidence=("5 attempts failed, the last one 12 s ago",),
    )
    blind = an_incident(
        "kids",
        number=2,
        cause=Cause.ACCOUNT_WITHOUT_CARDS,
        text="sees no card",
        change="run: cccamd explain kids",
        began_at=NOW - 190,
        sufferers=("kids",),
        evidence=("its F-line allows cards that are 0 hops away; the nearest are 1 hop away",),
    )
    slow = an_incident(
        HOME,
        number=3,
        cause=Cause.SOURCE_SLOW,
        text="is slow: nearly all its answers take up to 1.8 s",
        began_at=NOW - 9000,
        ended_at=NOW - 8100,
        suffering=2,
        sufferers=("bedroom", "livingroom"),
    )
    return (blind, down, slow)


def explained(question: Question) -> Explanation:
    """What the real thing says of one who may not have cards from elsewhere."""
    far = Finding(
        code="too-far",
        weight=Weight.BAD,
        text="It is 1 hop away, and kids may have cards that are up to 0 hops away.",
        change="Write the first number of the F-line as 1 or more.",
        setting=Setting(name="the F-line", file="/var/etc/CCcam.cfg", line=13),
    )
    account = Finding(code="logged-in", weight=Weight.GOOD, text="kids is logged in.")
    answers = [
        CardAnswer(
            source=HOME,
            share_id="00000002",
            caid=caid,
            idents=("030B00",),
            hop=1,
            reshare=2,
            taken=True,
            seen=False,
            usable=False,
            findings=(far,),
        )
        for caid in ("0B00", "0500")
    ]
    story = EcmStory(
        account="kids",
        at=NOW - 190,
        service="0B00:030B00:1D8A",
        answered=False,
        result="no card fits",
        seconds=0.0004,
        source="",
        why="kids sees no card of CAID 0B00",
        considered=(),
        steps=(StoryStep(milliseconds=0.4, source="this server", text="refuses"),),
    )
    return Explanation(
        account=question.account or "",
        service=question.service,
        at=NOW,
        live=True,
        summary="kids sees none of 2 cards: 2 too far away",
        findings=(account,),
        sources=(),
        cards=tuple(answers),
        cards_left_out=0,
        ecms=(story,),
    )


def a_day() -> list[Happening]:
    """What has happened up to now: answers, a slow hour, a link that was lost, a NOK."""
    chance = random.Random(4)
    times = [NOW - 86400 + 20 * i for i in range(4300)] + [NOW - 600 + 4 * i for i in range(150)]
    happened = [ecm for at in times for ecm in _answers(at, chance)]
    login = {"version": "2.1.4", "build": "", "revision": "v1", "node_id": node_id(3)}
    happened += [
        LoginFailed(
            at=NOW - 800, account="office", address="192.168.1.44", reason="wrong password"
        ),
        SourceDown(at=NOW - 300, source=ATTIC, reason="the connection was reset"),
        ClientLoggedIn(at=NOW - 200, account="kids", address="192.168.1.33", **login),
        _ecm(NOW - 190, "kids", SPORT, seconds=0.0004, source="", result=EcmResult.NOK1),
    ]
    return sorted(happened, key=lambda happening: happening.at)


def _answers(at: float, chance: random.Random) -> Iterator[Happening]:
    seconds = 0.11 + 0.03 * math.sin(at / 9000) + chance.random() * 0.05
    if chance.random() < 0.01:
        seconds += chance.random()
    if 40000 < NOW - at < 43600:
        seconds += 0.4 * chance.random()
    result = EcmResult.NOK2 if chance.random() < 0.003 else EcmResult.CW
    for account, service, source_name, took in (
        ("livingroom", NEWS, HOME, seconds),
        ("bedroom", FEED, LOCAL, 0.002 + 0.001 * chance.random()),
    ):
        ended = result if source_name == HOME else EcmResult.CW
        yield SourceAnswered(
            at=at, source=source_name, **_words(service), result=ended, seconds=took
        )
        if ended is EcmResult.CW:
            yield _ecm(at, account, service, seconds=took + 0.002, source=source_name)


def _ecm(
    at: float,
    account: str,
    service: ServiceId,
    *,
    seconds: float,
    source: str,
    result: EcmResult = EcmResult.CW,
) -> EcmFinished:
    return EcmFinished(
        at=at,
        account=account,
        **_words(service),
        parity=0x80,
        fingerprint=b"1",
        result=result,
        seconds=seconds,
        source=source,
        cached=False,
    )


def _words(service: ServiceId) -> dict[str, Any]:
    return {"caid": service.caid, "ident": service.ident, "sid": service.sid}


@dataclass
class Scene:
    """What the application shows; tests change it while somebody looks."""

    snapshot: Snapshot = field(default_factory=household)
    report: FreezeReport = field(default_factory=freezes)
    login: InfoPort = field(default_factory=InfoPort)
    history: History = field(default_factory=History)
    notes: Notes = field(default_factory=Notes)
    incidents: tuple[Incident, ...] = ()
    asked: list[Question] = field(default_factory=list)
    found: tuple[Diagnosis, ...] = ()
    journal: Path | None = None
    admitted: str = "127."
    failures: list[str] = field(default_factory=list)
    """What failed of the pages."""

    def app(self) -> FastAPI:
        return create_app(self.context())

    async def _find_freeze(self, number: int) -> Freeze | None:
        return next((each for each in self.report.freezes if each.number == number), None)

    def context(self) -> WebContext:
        return WebContext(
            snapshot=self.look,
            history=lambda span: take_history(self.history, span, NAMES),
            happenings=lambda: named_notes(self.notes.recent(), NAMES),
            explain=self.explain,
            incidents=lambda: self.incidents,
            freezes=self._report,
            freeze=self._find_freeze,
            check_up=self.check_up,
            journal=lambda: self.journal,
            find_channels=lambda words, most: find_channels(NAMES, words, most),
            metrics=Metrics(),
            channel_name=NAMES.name,
            provider_name=lambda *provider: PROVIDERS.get(provider),
            login=lambda: self.login,
            admits=lambda address: address.startswith(self.admitted),
            hosts=lambda: (),
            check_login=take_as_given,
            program=self.snapshot.program,
            on_failure=lambda name, error: self.failures.append(f"{name}: {error!r}"),
        )

    async def check_up(self) -> tuple[Diagnosis, ...]:
        return self.found

    async def look(self) -> Snapshot:
        return self.snapshot

    async def _report(self) -> FreezeReport:
        return self.report

    async def explain(self, question: Question) -> Explanation:
        self.asked.append(question)
        return explained(question)

    def tell(self, happenings: Iterable[Happening]) -> None:
        for happening in happenings:
            self.history.observe(happening)
            self.notes.observe(happening)

    def change(self, **changes: object) -> None:
        self.snapshot = replace(self.snapshot, **changes)  # type: ignore[arg-type]


async def take_as_given(address: str, user: bytes, right: bool) -> bool:
    """No brake on guessing."""
    return right


def a_full_house() -> Scene:
    """Five hundred receivers; one is frozen, one sees no card."""
    scene = Scene()
    boxes = [client(f"box{number:03}", number % 50, port=number) for number in range(500)]
    boxes[77] = replace(boxes[77], cards=0)
    stands = a_freeze("box123", **on_channel(NEWS), number=3, over=False, seconds=900.0)
    scene.report = replace(scene.report, freezes=(stands, *scene.report.freezes))
    scene.change(clients=tuple(boxes), accounts=tuple(box.account for box in boxes))
    scene.change(
        sources=(*(source(f"up{n}.example:1") for n in range(30)), *scene.snapshot.sources)
    )
    return scene
