"""TOML itself, by the faster of two parsers of one origin.

`tomli` is what became Python's own `tomllib`: the same language, the same errors. Its wheels are
compiled, and read the longest file that may be in half a second instead of nearly two. Where there
is none, Python's own does.
"""

from collections.abc import Callable
from typing import Any, Final

try:
    import tomli as _parser
except ImportError:
    import tomllib as _parser  # type: ignore[no-redef]

__all__ = ["SyntaxFault", "loads"]

SyntaxFault: Final[type[ValueError]] = _parser.TOMLDecodeError

loads: Final[Callable[[str], dict[str, Any]]] = _parser.loads
"""Read a text. Raises `SyntaxFault`, another ValueError (a number with too many digits), or
RecursionError."""
