"""The protocol object of each attempt to log in, by what is spoken with a server."""

from collections.abc import Callable

from cccamd.wire.cccam import Caller, Identity, Target
from cccamd.wire.link import ClientSide
from cccamd.wire.newcamd import NewcamdCaller, NewcamdTarget


def caller_of(
    target: Target | NewcamdTarget, identity: Identity, random: Callable[[int], bytes]
) -> Callable[[float], ClientSide]:
    """Make what makes it, given the time; `random` gives so many unpredictable bytes."""
    if isinstance(target, NewcamdTarget):
        return NewcamdCaller(target, random)
    return Caller(target, identity)
