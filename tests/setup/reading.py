"""Reads a cccamd.toml text with the built-in kinds."""

from pathlib import Path

from cccamd.lab.opencard import OpenCard
from cccamd.localcards.fixed import FixedCard
from cccamd.localcards.testcard import TestCard
from cccamd.setup.toml import ParsedToml, parse

FOLDER = Path("/etc/cccamd")
KINDS = {"fixed": FixedCard, "open": OpenCard, "test": TestCard}


def read(text: str) -> ParsedToml:
    """Parse without a disk."""
    return parse(text, kinds=KINDS, folder=FOLDER)


def told(text: str) -> list[str]:
    """List the problems of a text as people see them."""
    return [str(problem) for problem in read(text).problems]
