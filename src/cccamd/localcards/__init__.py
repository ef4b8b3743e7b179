"""Cards that live inside cccamd: the built-in kinds, and the interface for plug-ins."""

from typing import TYPE_CHECKING

from cccamd.localcards.card import (
    CannotDecode,
    CardConfig,
    CardUnavailable,
    EmmMatch,
    EmmRefused,
    ImmediateCard,
    LocalCard,
    NoOptions,
)
from cccamd.localcards.guard import GuardedCard, GuardLimits, start_card, threads_of_card
from cccamd.localcards.registry import CardKindError, find_kinds

if TYPE_CHECKING:
    from cccamd.localcards.options import CardOptions

__all__ = [
    "CannotDecode",
    "CardConfig",
    "CardKindError",
    "CardOptions",
    "CardUnavailable",
    "EmmMatch",
    "EmmRefused",
    "GuardLimits",
    "GuardedCard",
    "ImmediateCard",
    "LocalCard",
    "NoOptions",
    "find_kinds",
    "start_card",
    "threads_of_card",
]


def __getattr__(name: str) -> object:
    """Load pydantic for those who name `CardOptions`: plug-ins, and kinds with keys."""
    if name == "CardOptions":
        from cccamd.localcards.options import CardOptions

        return CardOptions
    raise AttributeError(name)
