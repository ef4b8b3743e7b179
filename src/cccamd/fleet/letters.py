"""What nodes tell each other of themselves and their cards, as JSON: sealed before it goes out.

    Presence  on the channel of all nodes, every few seconds: who is there
    CardList  an entry of its own, fetched by who hears of a revision that it has not
    Order     on the channel of one node: ask this card of yours
    Reply     on the channel of the node that ordered: what came of it
    Update    on the channel of one node: this EMM is for a card of yours
    Missing   on the channel of one node: the engine has not got your list

What comes from a node of another version, or is none, is `None`, and left alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cccamd.fleet.words import packed, read_hex, read_name, read_number, read_text, unpacked
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import (
    CW_LENGTH,
    SA_LENGTH,
    UA_LENGTH,
    ControlWords,
    Emm,
    Offer,
    Provider,
    Refusal,
    Request,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """A node is there, or about to leave."""

    node: str
    node_id: NodeId
    boot: str
    """Made at its start: another one is another run."""
    config: str
    """Stands for the accounts of its configuration."""
    revision: str
    """Stands for its list of cards."""
    is_new: bool = False
    """Whether it has just come, and wants to know who is there."""
    leaves: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSource:
    """One source of a node, with what clients may have of it."""

    name: str
    constant: bool = False
    groups: frozenset[int] | None = None
    takes_emms: bool = True
    emm_name: str = ""
    """How accounts name it whose EMMs are for some sources only; empty: they cannot."""
    offers: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Ask a card of yours."""

    node: str
    boot: str
    number: int
    request: Request
    """Its share id is the card's at whoever is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of an order."""

    node: str
    boot: str
    """Of the node that ordered."""
    number: int
    answer: ControlWords | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """The engine has not got your list of cards (any more): put it there."""

    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An EMM for a card of yours, of a client that may send it. Nothing is answered."""

    node: str
    emm: Emm
    """Its share id is the card's at whoever gets it."""


Letter = Presence | Order | Reply | Missing | Update


def write(letter: Letter) -> bytes:
    """Make bytes of a letter."""
    match letter:
        case Presence():
            told: dict[str, object] = {
                "kind": "presence",
                "node": letter.node,
                "node_id": letter.node_id.hex(),
                "boot": letter.boot,
                "config": letter.config,
                "revision": letter.revision,
                "new": letter.is_new,
                "leaves": letter.leaves,
            }
        case Order(node=node, boot=boot, number=number, request=request):
            caid, ident, share_id, sid, section = request
            asked = [caid, ident, share_id, sid, section.hex()]
            told = {"kind": "order", "node": node, "boot": boot, "number": number, "asks": asked}
        case Reply(node=node, boot=boot, number=number, answer=answer):
            said = answer.name if isinstance(answer, Refusal) else answer.raw.hex()
            told = {"kind": "reply", "node": node, "boot": boot, "number": number, "says": said}
        case Missing():
            told = {"kind": "missing", "node": letter.node}
        case Update(node=node, emm=emm):
            words = [emm.caid, emm.ident, emm.share_id, emm.section.hex()]
            told = {"kind": "update", "node": node, "emm": words}
    return packed(told)


def read(data: bytes) -> Letter | None:
    """Read one."""
    return unpacked(data, lambda told: _LETTERS[told["kind"]](told))


def _presence(told: dict[str, Any]) -> Presence:
    return Presence(
        node=read_name(told["node"]),
        node_id=NodeId(read_hex(told["node_id"], 8)),
        boot=read_text(told["boot"]),
        config=read_text(told["config"]),
        revision=read_text(told["revision"]),
        is_new=bool(told["new"]),
        leaves=bool(told["leaves"]),
    )


def _order(told: dict[str, Any]) -> Order:
    caid, ident, share_id, sid, section = told["asks"]
    request = Request(
        Caid(read_number(caid, 16)),
        Ident(read_number(ident, 32)),
        ShareId(read_number(share_id, 32)),
        Sid(read_number(sid, 16)),
        bytes.fromhex(section),
    )
    number = read_number(told["number"], 63)
    return Order(
        node=read_name(told["node"]), boot=read_text(told["boot"]), number=number, request=request
    )


def _reply(told: dict[str, Any]) -> Reply:
    said = told["says"]
    known = Refusal.__members__.get(said)
    answer = ControlWords(read_hex(said, CW_LENGTH)) if known is None else known
    number = read_number(told["number"], 63)
    return Reply(
        node=read_name(told["node"]), boot=read_text(told["boot"]), number=number, answer=answer
    )


def _update(told: dict[str, Any]) -> Update:
    caid, ident, share_id, section = told["emm"]
    emm = Emm(
        Caid(read_number(caid, 16)),
        Ident(read_number(ident, 32)),
        ShareId(read_number(share_id, 32)),
        bytes.fromhex(section),
    )
    return Update(node=read_name(told["node"]), emm=emm)


_LETTERS: dict[str, Callable[[dict[str, Any]], Letter]] = {
    "presence": _presence,
    "order": _order,
    "reply": _reply,
    "missing": lambda told: Missing(node=read_name(told["node"])),
    "update": _update,
}


def write_list(sources: Iterable[SharedSource]) -> bytes:
    """Make bytes of a list of cards. Another thread may do this."""
    told = [
        {
            "name": source.name,
            "constant": source.constant,
            "groups": None if source.groups is None else sorted(source.groups),
            "emms": source.takes_emms,
            "emm_name": source.emm_name,
            "offers": [_written(offer) for offer in source.offers],
        }
        for source in sources
    ]
    return packed(told)


def read_list(data: bytes) -> tuple[SharedSource, ...] | None:
    """Read one. Another thread may do this."""
    return unpacked(data, lambda told: tuple(map(_source, told)))


def _source(told: dict[str, Any]) -> SharedSource:
    return SharedSource(
        name=read_text(told["name"]),
        constant=bool(told["constant"]),
        groups=None if told["groups"] is None else frozenset(map(int, told["groups"])),
        takes_emms=bool(told["emms"]),
        emm_name=read_text(told["emm_name"]),
        offers=tuple(map(_offer, told["offers"])),
    )


def _written(offer: Offer) -> list[object]:
    return [
        offer.share_id,
        offer.remote_id,
        offer.caid,
        offer.hop,
        offer.reshare,
        offer.ua.hex(),
        [[provider.ident, provider.sa.hex()] for provider in offer.providers],
        list(offer.assigned_sids),
        list(offer.rejected_sids),
        [node_id.hex() for node_id in offer.path],
    ]


def _offer(told: Any) -> Offer:
    share_id, remote_id, caid, hop, reshare, ua, providers, assigned, rejected, path = told
    return Offer(
        share_id=ShareId(read_number(share_id, 32)),
        remote_id=read_number(remote_id, 32),
        caid=Caid(read_number(caid, 16)),
        hop=read_number(hop, 8),
        reshare=read_number(reshare, 16),
        ua=read_hex(ua, UA_LENGTH),
        providers=tuple(
            Provider(Ident(read_number(ident, 32)), read_hex(sa, SA_LENGTH))
            for ident, sa in providers
        ),
        assigned_sids=tuple(Sid(read_number(sid, 16)) for sid in assigned),
        rejected_sids=tuple(Sid(read_number(sid, 16)) for sid in rejected),
        path=tuple(NodeId(read_hex(node_id, 8)) for node_id in path),
    )
