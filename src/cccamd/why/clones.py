"""Programs that share a node id: what that means, in one set of words for everybody."""

from cccamd.facts import Clone
from cccamd.ids import NodeId, format_node_id
from cccamd.why.evidence import Evidence
from cccamd.why.finding import Finding, Weight, some_of

CLONE_CHANGE = "stop one of the two, delete its node id file, and start it again"
"""What to do about two programs with one node id."""


def clone_text(clone: Clone) -> str:
    """Name all that have the node id, and where they are."""
    names = (*clone.accounts, *(f"upstream {name}" for name in clone.sources))
    node_id, at = format_node_id(clone.node_id), _places(clone)
    if clone.own:
        return (
            f"{some_of(names)} ({at}) {_have(names)} the node id of this server, {node_id}: one"
            " was copied from the other, or it is this server itself, by a C-line of its own"
        )
    if len(names) == 1:
        return (
            f"{names[0]} is logged in more than once ({at}) with one node id, {node_id}: one"
            f" program was copied from the other{_or_one(clone)}"
        )
    return (
        f"{some_of(names)} ({at}) have the same node id {node_id}: one was copied from the"
        f" other{_or_one(clone)}"
    )


def _places(clone: Clone) -> str:
    number = len(clone.accounts) + len(clone.sources)
    is_one_place = number > 1 and len(clone.addresses) == 1
    return f"all at {clone.addresses[0]}" if is_one_place else some_of(clone.addresses)


def _have(names: tuple[str, ...]) -> str:
    return "have" if len(names) > 1 else "has"


def _or_one(clone: Clone) -> str:
    return ", or one program logs in twice" if len(clone.addresses) == 1 else ""


def explain_clones(account: str, evidence: Evidence) -> list[Finding]:
    """Say of each clone that a client is part of."""
    return [
        Finding(
            code="clone",
            weight=Weight.BAD,
            text=f"{clone_text(clone)}; a card that came through one is shown to none of them",
            change=CLONE_CHANGE,
        )
        for clone in evidence.clones
        if account in clone.accounts
    ]


def clone_of(node_id: NodeId | None, evidence: Evidence) -> Clone | None:
    """The clone with this node id, if it is one now."""
    return next((clone for clone in evidence.clones if clone.node_id == node_id), None)
