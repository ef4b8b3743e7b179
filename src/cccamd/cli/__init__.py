"""The commands of `cccamd`."""

from cccamd.cli.main import app

__all__ = ["app"]
