"""The commands of `cccamd`."""

from cccamd.cli.main import command_line, main

__all__ = ["command_line", "main"]
