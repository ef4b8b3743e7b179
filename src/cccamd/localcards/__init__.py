"""Cards that live inside cccamd: the built-in kinds, and the interface for plug-ins."""

from cccamd.localcards.card import (
    CannotDecode,
    CardConfig,
    CardOptions,
    CardUnavailable,
    EmmRefused,
    ImmediateCard,
    LocalCard,
)
from cccamd.localcards.guard import GuardedCard, GuardLimits, Report, start_card
from cccamd.localcards.registry import InstalledKinds, find_kinds
from cccamd.localcards.storage import StorageError, read_key_file, replace_key_file

__all__ = [
    "CannotDecode",
    "CardConfig",
    "CardOptions",
    "CardUnavailable",
    "EmmRefused",
    "GuardLimits",
    "GuardedCard",
    "ImmediateCard",
    "InstalledKinds",
    "LocalCard",
    "Report",
    "StorageError",
    "find_kinds",
    "read_key_file",
    "replace_key_file",
    "start_card",
]
