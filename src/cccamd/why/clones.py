"""Programs that share a node id: what that means, in one set of words for everybody."""

from cccamd.facts import Cause, Clone
from cccamd.ids import NodeId, format_node_id
from cccamd.watch import Symptom
from cccamd.why.evidence import Evidence
from cccamd.why.finding import Finding, Weight
from cccamd.wording import some_of

CLONE_CHANGE = "stop one of the two, delete its node id file, and start it again"
"""What to do about two programs with one node id."""


def clone_text(clone: Clone) -> str:
    """Name all that have the node id, where they are, and what that means."""
    names, node_id = _names(clone), format_node_id(clone.node_id)
    if clone.own:
        verb = "have" if len(names) > 1 else "has"
        what = f"{verb} the node id of this server, {node_id}"
    elif len(names) == 1:
        what = f"is logged in more than once with one node id, {node_id}"
    else:
        what = f"have the same node id {node_id}"
    return f"{_holders(clone)} {what}: {_reason(clone)}"


def _holders(clone: Clone) -> str:
    """`anna and upstream h:12000 (192.0.2.1 and 192.0.2.2)`."""
    names = _names(clone)
    is_one_place = len(names) > 1 and len(clone.addresses) == 1
    places = f"all at {clone.addresses[0]}" if is_one_place else some_of(clone.addresses)
    return f"{some_of(names)} ({places})"


def _reason(clone: Clone) -> str:
    """How it comes that they have one."""
    copied = "one was copied from the other"
    if clone.own:
        return f"{copied}, or it is this server itself, by a C-line of its own"
    if len(clone.addresses) == 1:
        return f"{copied}, or one program logs in twice"
    if clone.sources and len(clone.accounts) < 2:
        return f"{copied}, or it is one program with several addresses"
    return copied


def _names(clone: Clone) -> tuple[str, ...]:
    return (*clone.accounts, *(f"upstream {name}" for name in clone.sources))


def explain_clones(account: str | None, evidence: Evidence) -> list[Finding]:
    """Say of each clone that a client of the account is part of; without an account, of all."""
    return [
        Finding(
            code="clone",
            weight=Weight.BAD,
            text=f"{clone_text(clone)}; a card that came through one is shown to none of them",
            change=CLONE_CHANGE,
        )
        for clone in evidence.clones
        if account is None or account in clone.accounts
    ]


def clone_of(node_id: NodeId | None, evidence: Evidence) -> Clone | None:
    """The clone with this node id, if it is one now."""
    return next((clone for clone in evidence.clones if clone.node_id == node_id), None)


def clone_symptom(clone: Clone) -> Symptom:
    """What it is as an incident."""
    return Symptom(
        cause=Cause.CLONE,
        subject=format_node_id(clone.node_id),
        since=clone.since,
        text=f"is the node id of several: {clone_text(clone)}",
        change=CLONE_CHANGE,
        sufferers=frozenset(clone.accounts),
    )
