"""What a paired server may be called, in the list of paired servers and in cccamd.toml."""

import re
from typing import Final

PAIR_NAME_RULE: Final = "letters, digits, dot, - and _, up to 40"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


def is_pair_name(text: str) -> bool:
    """Whether a paired server may be called so."""
    return _NAME.fullmatch(text) is not None
