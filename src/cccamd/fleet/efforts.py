"""What a node knows of one ECM among several nodes: an effort, and how far it has got."""

from dataclasses import dataclass, field
from enum import Enum, auto

from cccamd.routing import AskId
from cccamd.values import Fingerprint, Service


class Stage(Enum):
    """What becomes of what is to be asked for an ECM."""

    CLAIMING = auto()
    OURS = auto()
    THEIRS = auto()
    FREE = auto()
    PASSED_ON = auto()


@dataclass(slots=True, eq=False)
class Effort:
    """One ECM, for as long as a claim lives."""

    fingerprint: Fingerprint
    service: Service
    began_at: float
    stage: Stage = Stage.FREE
    turn: int = -1
    """Which claim to it was tried last; -1: none."""
    patience: float = 0.0
    """How long the engine may take, in seconds."""
    usual: float = 0.0
    whose: str = ""
    """The node whose card is to be asked."""
    claimed_at: float = 0.0
    due_at: float | None = None
    held: dict[AskId, None] = field(default_factory=dict)
    out: set[AskId] = field(default_factory=set)
    """What was let go, and has not ended."""
    passed: int = -1
    """Which turn, at least, another node has passed on."""
    is_known: bool = False
    """Whether the CW was told, by us or to us."""
