"""Cards, announcements and clients for the tests, with all that does not matter filled in."""

from typing import Any

from cccamd.cards import CardTable, View, Viewer
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.setup.cccamcfg import FLine
from cccamd.values import Offer, Provider, Request

OURS = NodeId(b"ourselfs")
CLIENT = NodeId(b"theclient"[:8])
CAID = Caid(0x0100)


def node(name: str) -> NodeId:
    """A node id of a short name."""
    return NodeId(name.encode().ljust(8, b"_"))


def providers(*idents: int) -> tuple[Provider, ...]:
    return tuple(Provider(Ident(ident)) for ident in idents)


def announced(share_id: int, *path: str, **fields: Any) -> Offer:
    """A card as an upstream announces it; the path by node names."""
    defaults: dict[str, Any] = {
        "remote_id": share_id,
        "caid": CAID,
        "hop": len(path) - 1,
        "reshare": 3,
        "providers": providers(0x80),
        "path": tuple(node(name) for name in path),
    }
    return Offer(share_id=ShareId(share_id), **(defaults | fields))


def account(**fields: Any) -> FLine:
    """An F-line in line 14."""
    return FLine(**({"line": 14, "user": "anna", "password": "secret"} | fields))


def view_of(table: CardTable, *, node_id: NodeId = CLIENT, **fields: Any) -> View:
    """The view of a client with this account."""
    return View(table, Viewer(account=account(**fields), node_id=node_id))


def request(share_id: int, *, caid: int = CAID, ident: int = 0x80, sid: int = 0x15DF) -> Request:
    return Request(Caid(caid), Ident(ident), ShareId(share_id), Sid(sid), b"\x80ecm")
