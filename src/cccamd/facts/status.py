"""Everything at once."""

from dataclasses import dataclass, field

from cccamd.facts.declaring import CaidFact, Fact, IdentFact
from cccamd.facts.happened import ChannelMargin, Incident, Note
from cccamd.facts.running import ClientStatus, ConfigState, ServerStatus, SourceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class System(Fact):
    """All cards of one CAID."""

    caid: CaidFact
    cards: int
    nearest_hop: int
    idents: tuple[IdentFact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Fact):
    """What goes on: all but the single cards."""

    server: ServerStatus
    config: ConfigState = field(default_factory=ConfigState)
    clients: tuple[ClientStatus, ...]
    sources: tuple[SourceStatus, ...]
    systems: tuple[System, ...]
    notes: tuple[Note, ...]
    """What happened lately, the newest first."""
    channels: tuple[ChannelMargin, ...]
    incidents: tuple[Incident, ...] = ()
    """What is wrong, by how many suffer; then what was wrong, the newest first."""
