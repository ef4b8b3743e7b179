"""A server, client and workbench for the CCcam protocol."""

import importlib.util

__version__ = "0.1.0"

PROGRAM = f"cccamd v{__version__}"
"""What we are called by other programs, and on our pages."""


def build() -> str:
    """Say for people which version this is, and which flavour: `0.1.0`, `0.1.0 (compiled)`."""
    spec = importlib.util.find_spec("cccamd.values")  # one of those that the flavour compiles
    compiled = spec is not None and not str(spec.origin).endswith(".py")
    return f"{__version__} (compiled)" if compiled else __version__
