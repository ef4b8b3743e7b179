"""A server, client and workbench for the CCcam protocol."""

__version__ = "0.1.0"

PROGRAM = f"cccamd v{__version__}"
"""What we are called by other programs, and on our pages."""
