"""The commands of `cccamd`."""

from cccamd.cli.main import command_line, main
from cccamd.cli.oldname import prepare

__all__ = ["command_line", "main", "prepare"]
