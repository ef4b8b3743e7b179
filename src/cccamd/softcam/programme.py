"""What a client wants clear: a service, its streams, and the ECMs that may open them.

Source: docs/dvbapi-protocol.md sections 5 and 6.
"""

from dataclasses import dataclass
from typing import NamedTuple

from cccamd.ids import Caid, Ident
from cccamd.wire.dvbapi import NO_PID, CaPmt, Channel, ServiceId

SETS_LIMIT = 8
"""Sets of streams with keys of their own in one service; broadcasts have one, at times three."""
ECMS_LIMIT = 64
"""Streams of ECMs of one service that are looked at: the cards are searched for each."""


class EcmStream(NamedTuple):
    """One stream of ECMs, as a CA descriptor names it."""

    caid: Caid
    pid: int
    """`NO_PID`: there are none, and the CW is constant if there is one at all."""
    ident: Ident
    """0: unknown, which matches any provider."""
    chain: int | None = None
    """Of several on one PID: byte 4 of its sections. None: the only one, or not seen yet."""


class Streams(NamedTuple):
    """Streams that the same ECMs open."""

    ecms: tuple[EcmStream, ...]
    """As the client lists them."""
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """One service of a client's list."""

    identity: ServiceId
    channel: Channel
    """How the client is told of it."""
    demux: int | None
    """What the client calls its demultiplexer; a stop may name it."""
    sets: tuple[Streams, ...]
    contents: object
    """Equal as long as nothing has changed that matters."""


def programme_of(channel: Channel, pmt: CaPmt) -> Programme:
    """Read a CA_PMT."""
    forced = tuple(EcmStream(caid, NO_PID, Ident(0)) for caid in pmt.forced_caids)
    listed = tuple(EcmStream(*source) for source in pmt.sources)
    looked_at = frozenset((*listed, *forced)[:ECMS_LIMIT])
    sets = [
        Streams((*(EcmStream(*source) for source in found.sources), *forced), found.pids)
        for found in pmt.stream_sets
    ]
    if not sets and forced and pmt.pids:
        sets = [Streams(forced, pmt.pids)]
    cut = (Streams(tuple(filter(looked_at.__contains__, ecms)), pids) for ecms, pids in sets)
    return Programme(
        identity=pmt.identity,
        channel=channel,
        demux=pmt.demux,
        sets=tuple(found for found in cut if found.ecms)[:SETS_LIMIT],
        contents=pmt.contents,
    )


def is_same(one: ServiceId, other: ServiceId) -> bool:
    """Whether both are one service: who does not say its network leaves that open."""
    if one[:2] != other[:2]:
        return False
    return one.network is None or other.network is None or one.network == other.network
