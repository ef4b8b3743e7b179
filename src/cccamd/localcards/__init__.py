"""Cards that live inside cccamd: the built-in kinds, and the interface for plug-ins."""

from cccamd.localcards.card import (
    CannotDecode,
    CardConfig,
    CardOptions,
    CardUnavailable,
    EmmMatch,
    EmmRefused,
    ImmediateCard,
    LocalCard,
)
from cccamd.localcards.guard import GuardedCard, GuardLimits, start_card
from cccamd.localcards.registry import CardKindError, InstalledKinds, find_kinds

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
    "InstalledKinds",
    "LocalCard",
    "find_kinds",
    "start_card",
]
