"""The commands of `cccamd`."""

from cccamd.cli.main import app, main

__all__ = ["app", "main"]
