"""A server made of values, for explanations: F- and C-lines as text, cards as announced."""

from typing import Any

from cccamd.cards import CardTable, SourceId, SourcePolicy
from cccamd.facts import ClientStatus, Revision, SourceStatus
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.routing import Priorities
from cccamd.setup.cccamcfg import parse
from cccamd.setup.toml import TomlConfig
from cccamd.values import Offer, Provider
from cccamd.why import Evidence, Explanation, Question, explain
from fact_factory import a_client, a_source

OURS, FAR = NodeId(b"ourselfs"), NodeId(b"far away")
NOW = 1_800_000_000.0


def announced(share_id: int = 1, **words: Any) -> Offer:
    fields: dict[str, Any] = {
        "remote_id": share_id,
        "caid": Caid(0x0B00),
        "hop": 0,
        "reshare": 3,
        "providers": (Provider(Ident(0x030B00)),),
        "path": (FAR,),
    }
    return Offer(share_id=ShareId(share_id), **(fields | words))


def source(name: str = "headend-a:12000", line: int = 20, **words: Any) -> SourceStatus:
    fields: dict[str, Any] = {
        "up_at": NOW - 60,
        "revision": Revision.V2,
        "extended": True,
        "node_id": FAR,
        "in_flight": 0,
        "cards_by_hop": {1: 1},
        "asked": 0,
        "answered": 0,
        "usual_seconds": None,
        "rank": 1,
    }
    return a_source(name, line=line, **(fields | words))


def client(account: str = "anna", **words: Any) -> ClientStatus:
    fields: dict[str, Any] = {
        "line": 1,
        "address": "192.0.2.7",
        "revision": Revision.V2,
        "node_id": NodeId(b"receiver"),
        "connected_at": NOW - 600,
        "heard_at": NOW - 3,
        "ecms_asked": 5,
        "ecms_answered": 5,
        "cards": 1,
        "service": None,
    }
    return a_client(account, **(fields | words))


def evidence(cfg: str, *cards: Offer, status: SourceStatus | None = None, **words: Any) -> Evidence:
    """A running server with this CCcam.cfg, and one upstream that announces these cards."""
    config = parse(cfg.encode(), file="/etc/CCcam.cfg").config
    table = CardTable(OURS)
    policy = SourcePolicy(
        limits=config.c_lines[0].limits if config.c_lines else (),
        minimum_downhops=config.settings.minimum_downhops,
        ignore_nodes=frozenset(config.settings.ignore_nodes),
    )
    upstream = table.add_source(policy)
    for card in cards:
        table.add(upstream, card)
    sources: dict[SourceId, SourceStatus] = {upstream: status or source()}
    fields: dict[str, Any] = {
        "live": True,
        "at": NOW,
        "minute": 18 * 60,
        "config": config,
        "toml": TomlConfig(file="/etc/cccamd.toml"),
        "priorities": Priorities(),
        "table": table,
        "sources": sources,
        "clients": {"anna": (client(),)},
    }
    return Evidence(**(fields | words))


def ask(
    shown: Evidence,
    account: str | None = "anna",
    *,
    caid: int | None = None,
    ident: int | None = None,
    sid: int | None = None,
    name: str | None = None,
) -> Explanation:
    question = Question(
        account=account,
        source=name,
        caid=None if caid is None else Caid(caid),
        ident=None if ident is None else Ident(ident),
        sid=None if sid is None else Sid(sid),
    )
    return explain(question, shown)
