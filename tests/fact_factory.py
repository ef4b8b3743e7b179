"""The one place where tests make facts: each with any field changed, and a whole household."""

from cccamd.facts import (
    CardStatus,
    Cause,
    ChannelMargin,
    ClientStatus,
    DescrambledService,
    Door,
    EcmResult,
    FleetStatus,
    Freeze,
    Incident,
    LinkState,
    NodeState,
    NodeStatus,
    Note,
    Penalty,
    PenaltyKind,
    Revision,
    ServiceId,
    ShareUse,
    Snapshot,
    SourceKind,
    SourceStatus,
    Tone,
)
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid

NOW = 1_700_000_000.0
STARTED_AT = NOW - 93_784.0
"""A day, 2 hours, 3 minutes and 4 seconds before."""
OWN_NODE = NodeId(bytes.fromhex("380ceca0f39150d3"))
UPSTREAM_NODE = NodeId(bytes.fromhex("b3f5ede510f416b2"))
FAR_NODE = NodeId(bytes.fromhex("00112233445566aa"))
CLIENT_NODE = NodeId(bytes.fromhex("0a0b0c0d0e0f1011"))
UPSTREAM = "upstream.example:12000"
OFFLINE = "gone.example:12001"
LOCAL = "attic"
CHANNEL_NAME = "Das Erste"


def a_service(
    caid: int = 0x0500, ident: int = 0x032830, sid: int = 0x1D80, name: str | None = CHANNEL_NAME
) -> ServiceId:
    """A channel that has a name."""
    return ServiceId(Caid(caid), Ident(ident), Sid(sid), name)


def a_use(
    caid: int = 0x0500, ident: int = 0x032830, *, local: bool = True, asked: int = 7
) -> ShareUse:
    """One answered share; one request of all that were asked got no CW."""
    return ShareUse(
        local=local, caid=Caid(caid), ident=Ident(ident), asked=asked, answered=asked - 1
    )


def a_descrambled() -> DescrambledService:
    """A service that a client wants clear over dvbapi."""
    return DescrambledService(
        caid=Caid(0x0B00),
        ident=Ident(0x030B00),
        sid=Sid(0x1D80),
        name="Film",
        adapter=0,
        ecm_pid=1501,
        ecms_asked=7,
        ecms_answered=6,
        last_result=EcmResult.CW,
        last_source="my card",
        last_seconds=0.004,
    )


def a_client(account: str = "living", **changes: object) -> ClientStatus:
    """A receiver that watches something, with any field changed."""
    fields: dict[str, object] = {
        "account": account,
        "line": 3,
        "address": "192.168.1.20",
        "port": 40_123,
        "version": "2.3.0",
        "build": "3367",
        "revision": Revision.V1,
        "extended": False,
        "program": "",
        "node_id": CLIENT_NODE,
        "connected_at": NOW - 3_723.0,
        "heard_at": NOW - 4.0,
        "ecms_asked": 180,
        "ecms_answered": 175,
        "emms_sent": 6,
        "emms_passed": 5,
        "pending": 0,
        "cards": 3,
        "service": a_service(),
        "last_result": EcmResult.CW,
        "last_source": UPSTREAM,
        "last_seconds": 0.123,
        "uses": (a_use(),),
    }
    return ClientStatus(**(fields | changes))  # type: ignore[arg-type]


def a_source(name: str = UPSTREAM, **changes: object) -> SourceStatus:
    """A link that is up and has brought two cards, with any field changed."""
    fields: dict[str, object] = {
        "name": name,
        "kind": SourceKind.CCCAM,
        "line": 7,
        "state": LinkState.UP,
        "up_at": NOW - 90_061.0,
        "next_attempt_at": None,
        "last_failure": "",
        "address": "203.0.113.9",
        "version": "2.1.4",
        "build": "3191",
        "revision": Revision.V1,
        "extended": False,
        "program": "",
        "node_id": UPSTREAM_NODE,
        "in_flight": 1,
        "cards_by_hop": {1: 1, 2: 1},
        "cards_rejected": 0,
        "asked": 23_415,
        "answered": 23_411,
        "usual_seconds": 0.31,
        "uses": (
            a_use(0x1815, 0, local=False, asked=23_415),
            a_use(0x0500, 0x030B00, local=False, asked=12),
        ),
        "group": "",
        "rank": 0,
    }
    fields |= changes
    cards = sum(fields["cards_by_hop"].values())  # type: ignore[attr-defined]
    return SourceStatus(**{"cards": cards, **fields})  # type: ignore[arg-type]


def an_offline_source(name: str = OFFLINE) -> SourceStatus:
    """A link that waits for its next attempt."""
    return a_source(
        name,
        line=8,
        state=LinkState.WAITING,
        up_at=None,
        next_attempt_at=NOW + 42.0,
        last_failure="connection refused",
        version="",
        build="",
        revision=None,
        node_id=None,
        in_flight=0,
        cards_by_hop={},
        asked=0,
        answered=0,
        usual_seconds=None,
        uses=(),
    )


def a_local_source(name: str = LOCAL) -> SourceStatus:
    """A card of ours."""
    return a_source(
        name,
        kind=SourceKind.LOCAL,
        line=0,
        address="",
        version="",
        build="",
        revision=None,
        program="test",
        node_id=None,
        in_flight=0,
        cards_by_hop={0: 1},
        asked=40,
        answered=39,
        usual_seconds=0.002,
        uses=(a_use(0x7F00, 0x00000A, asked=40),),
    )


def a_card(source: str = UPSTREAM, share_id: int = 0x90000, **changes: object) -> CardStatus:
    """A card one hop away, with any field changed."""
    fields: dict[str, object] = {
        "source": source,
        "share_id": ShareId(share_id),
        "own_share_id": ShareId(share_id + 1),
        "caid": Caid(0x0100),
        "idents": (Ident(0), Ident(0x0068), Ident(0x3311)),
        "hop": 1,
        "reshare": 0,
        "path": (UPSTREAM_NODE,),
        "assigned_sids": (),
        "rejected_sids": (),
        "seen_by": ("living",),
    }
    return CardStatus(**(fields | changes))  # type: ignore[arg-type]


def a_snapshot(**changes: object) -> Snapshot:
    """An idle server: no client, no source, no card; with any field changed."""
    fields: dict[str, object] = {
        "at": NOW,
        "started_at": STARTED_AT,
        "program": "cccamd-0.1.0",
        "node_id": OWN_NODE,
        "config_path": "/etc/CCcam.cfg",
        "accounts": (),
        "clients": (),
        "sources": (),
        "cards": (),
        "ecms_total": 0,
        "emms_total": 0,
        "logins_failed": 0,
        "connections_refused": 0,
        "pending_logins": 0,
        "peak_pending": 0,
    }
    return Snapshot(**(fields | changes))  # type: ignore[arg-type]


def a_household() -> Snapshot:
    """Two receivers, an own card, a server that is up and one that is not."""
    return a_snapshot(
        accounts=("living", "bedroom", "kitchen"),
        clients=(
            a_client(),
            a_client(
                "bedroom",
                line=4,
                address="192.168.1.21",
                heard_at=NOW - 200.0,
                version="",
                last_result=EcmResult.NOK2,
                last_source="",
                uses=(a_use(local=False), a_use(0x1815, 0, asked=3)),
            ),
        ),
        sources=(a_local_source(), a_source(), an_offline_source()),
        cards=(
            a_card(
                LOCAL,
                1,
                caid=Caid(0x7F00),
                idents=(Ident(0x0A),),
                hop=0,
                reshare=10,
                path=(),
                seen_by=("living", "bedroom"),
            ),
            a_card(),
            a_card(
                share_id=0x90001,
                caid=Caid(0x1702),
                idents=(),
                hop=2,
                reshare=1,
                path=(FAR_NODE, UPSTREAM_NODE),
                seen_by=(),
            ),
        ),
        ecms_total=360,
        emms_total=12,
        logins_failed=2,
        connections_refused=1,
        peak_pending=4,
        fleet=FleetStatus(
            node="attic",
            engine_up=True,
            engine_since=NOW - 3600.0,
            config="0123456789abcdef",
            usual_config="0123456789abcdef",
            nodes=(
                NodeStatus(name="cellar", heard_at=NOW - 2.0, cards=3, config="0123456789abcdef"),
                NodeStatus(
                    name="shed", heard_at=NOW - 3.0, cards=1, config="fedcba9876", differs=True
                ),
            ),
            absent=(
                NodeStatus(
                    name="barn",
                    state=NodeState.MISSING,
                    heard_at=NOW - 300.0,
                    cards=0,
                    config="0123456789abcdef",
                ),
            ),
            claimed=40,
            told=30,
            dropped=2,
        ),
    )


def a_margin(account: str = "living", **changes: object) -> ChannelMargin:
    """A channel that is watched, with time to spare, and any field changed."""
    fields: dict[str, object] = {"account": account, "period": 10.0, "margin": 4.25}
    return ChannelMargin(**(on_channel(a_service()) | fields | changes))  # type: ignore[arg-type]


def a_freeze(account: str = "living", **changes: object) -> Freeze:
    """A picture that stood still for a while, with any field changed."""
    fields: dict[str, object] = {
        "number": 7,
        "at": NOW,
        "account": account,
        "seconds": 2.0,
        "over": True,
        "source": UPSTREAM,
        "cause": "late",
    }
    return Freeze(**(on_channel(a_service()) | fields | changes))  # type: ignore[arg-type]


def an_incident(subject: str = OFFLINE, **changes: object) -> Incident:
    """A source that has been down for five minutes, with any field changed."""
    fields: dict[str, object] = {
        "number": 1,
        "cause": Cause.SOURCE_DOWN,
        "subject": subject,
        "text": "is waiting: connection refused",
        "change": "ask its owner whether the server runs",
        "began_at": NOW - 300.0,
        "suffering": 1,
        "sufferers": ("bedroom",),
        "evidence": ("5 attempts failed",),
    }
    return Incident(**(fields | changes))  # type: ignore[arg-type]


def a_penalty(who: str = "203.0.113.7", **changes: object) -> Penalty:
    """A ban that goes on for nine minutes more, with any field changed."""
    fields: dict[str, object] = {
        "kind": PenaltyKind.BANNED,
        "doors": (Door.CCCAM, Door.WEB),
        "user": "anna",
        "tries": 10,
        "bans": 2,
        "last_at": NOW - 60.0,
        "until": NOW + 540.0,
        "wait_seconds": 0.0,
    }
    return Penalty(**({"who": who} | fields | changes))  # type: ignore[arg-type]


def on_channel(service: ServiceId) -> dict[str, object]:
    """What a margin or a freeze says of its channel."""
    return {field: getattr(service, field) for field in ("caid", "ident", "sid", "name")}


def a_note(subject: str = "living", **changes: object) -> Note:
    """An account that watches something, with any field changed."""
    fields: dict[str, object] = {
        "at": NOW,
        "tone": Tone.PLAIN,
        "subject": subject,
        "text": "watches",
        "service": a_service(),
    }
    return Note(**(fields | changes))  # type: ignore[arg-type]
