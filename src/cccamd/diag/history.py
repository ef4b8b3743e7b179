"""Answer times over the last minutes and the last day, and what happened lately."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing that happened, as a sentence."""

    at: float
    kind: str
    text: str


class History:
    """Answer times per source and channel."""
