"""A running server at one moment, as far as it tells what is wrong and who suffers from it."""

from dataclasses import dataclass, field

from cccamd.cards import EVERYTHING, OPEN, Grant
from cccamd.facts import (
    Clone,
    ConfigState,
    DoubleLogin,
    FleetStatus,
    Freeze,
    ReceiverFinding,
    SourceStatus,
)
from cccamd.routing import LoopSeen
from cccamd.setup.cccamcfg import Config
from cccamd.setup.logins import Accesses
from cccamd.watch import Pause
from cccamd.why.accepting import ClosedDoor
from cccamd.why.host import MachineTrouble
from cccamd.why.overload import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """An account that is logged in, as far as it tells whether something is wrong."""

    account: str
    connected_at: float
    cards: int
    """How many it was told of."""
    unserved: bool
    """It asked a moment ago, and got no CW, or so late that it may have given up."""
    served_by: str
    """The source that gave it a CW last; empty: none ever did."""
    grant: Grant = EVERYTHING
    """What cccamd.toml lets it have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that symptoms are read from, at one moment."""

    at: float
    """Seconds since the epoch."""
    config: Config
    sources: tuple[SourceStatus, ...]
    receivers: tuple[Receiver, ...] = ()
    """At least those in trouble."""
    frozen: tuple[Freeze, ...] = ()
    """Pictures that stand still."""
    findings: tuple[ReceiverFinding, ...] = ()
    files: ConfigState = field(default_factory=ConfigState)
    double_logins: tuple[DoubleLogin, ...] = ()
    clones: tuple[Clone, ...] = ()
    loops: tuple[LoopSeen, ...] = ()
    """Requests that came back, lately."""
    machine: tuple[MachineTrouble, ...] = ()
    pauses: tuple[Pause, ...] = ()
    """Of our own loop, lately, the newest last."""
    doors: tuple[ClosedDoor, ...] = ()
    """That nobody gets in by."""
    fleet: FleetStatus | None = None
    load: Load = field(default_factory=Load)
    """What clients ask."""
    accesses: Accesses = field(default_factory=dict)
    """What cccamd.toml says of sources."""

    @property
    def cards_since(self) -> float | None:
        """When that source came which has brought cards for the longest; None: none brings any."""
        return min((source.up_at or 0.0 for source in self.sources if source.cards), default=None)

    def sufferers_of(self, source: SourceStatus) -> frozenset[str]:
        """Who has it worse for a source that is in trouble.

        Who gets no CW now, or sees no card as none comes from here any more, and got the last CW
        from here; and who never got any, when nothing that it could get cards from brings one and
        this is among it.
        """
        gone = not source.cards
        serving = [self._grant(each) for each in self.sources if each.cards] if gone else []
        return frozenset(
            receiver.account
            for receiver in self.receivers
            if (
                receiver.unserved or (gone and not receiver.cards)
                if receiver.served_by == source.name
                else gone
                and not receiver.cards
                and not receiver.served_by
                and receiver.grant.meets(self._grant(source))
                and not any(map(receiver.grant.meets, serving))
            )
        )

    def _grant(self, source: SourceStatus) -> Grant:
        return self.accesses.get((source.name, source.line), OPEN).grant
