"""The command line: one file per command, imported when it is called.

That file has the words and options; what the command does is in `deeds`, and imported when it runs.
A command costs what it needs and no more: `--version`, `--help` and `probe` know nothing of
configuration, web pages or cards (tests/cli/test_lazy_commands.py, `make bench`).
"""

import errno
import os
import shutil
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Annotated, Final

import typer

from cccamd import build
from cccamd.cli.command import told
from cccamd.cli.loading import staying
from cccamd.errors import CccamdError

EXIT_TROUBLE: Final = 2
TRACEBACK_VARIABLE: Final = "CCCAMD_TRACEBACK"

COMMANDS: Final = {
    "serve": "Run the server until it is stopped (Ctrl-C, or the signal TERM).",
    "status": "Show receivers, sources, cards and answer times of the server.",
    "explain": "Say which cards an account sees, which not, and what to change.",
    "doctor": "Examine this installation: what is wrong, and what to do.",
    "journal": "Show what clients did: channels, answer times, logins, freezes.",
    "check": "Read a CCcam.cfg and report what does not do what it seems to.",
    "import": "Take over the configuration of another program (OSCam).",
    "install": "Make the server a service that starts with this machine.",
    "uninstall": "Take the service away again.",
    "export": "Give the configuration to another program (OSCam).",
    "convert": "Write an old CCcam.cfg in today's form, with its comments.",
    "account": "Add, show, switch and remove the accounts of CCcam.cfg.",
    "reload": "Have the server read its files again, and say what changed.",
    "kick": "End the connections of an account or an address.",
    "link": "Restart, pause or resume a link to another server.",
    "unban": "Forget the failed logins from an address.",
    "log": "Show the last lines of the server's log, and follow it.",
    "debug": "Log everything of one account for a while.",
    "schema": "Print a JSON schema of cccamd.toml, for editors.",
    "backup": "Save configuration, node id, keys and journal into one file.",
    "restore": "Put back what `cccamd backup` saved.",
    "pair": "Have two servers know each other's key, for a safe link.",
    "fleet": "Prepare several servers for one fleet.",
    "client": "Print what to enter in a receiver or program for an account.",
    "probe": "See how far a receiver gets when it logs in to your own server.",
    "decode": "Show what was said in a recorded session (pcap).",
    "demo": "Scramble a test picture, and see it again through a server.",
    "cas": "Be a small head-end for the open test CAS, in a laboratory.",
}
"""What the list of commands says of each, in one line of a terminal. The module `cccamd.cli.NAME`
holds a function NAME, or the `app` of a group of commands."""
MODULES: Final = {
    "import": "importing",
    "export": "exporting",
    "uninstall": "install",
    "restore": "backup",
}
"""Where the module does not have the command's name."""


def command_line(arguments: Sequence[str]) -> typer.Typer:
    """Make the commands, of which only the one that these arguments call is more than a name."""
    app = typer.Typer(
        help="A server, client and workbench for the CCcam protocol that explains itself.",
        callback=_root,
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # boxes cost more time than the commands that draw them
        context_settings={"help_option_names": ["-h", "--help"], "terminal_width": _narrow()},
    )
    # No option before the command takes a value, so the first word is the command.
    called = next((word for word in arguments if not word.startswith("-")), None)
    if {"--install-completion", "--show-completion"}.intersection(arguments):
        _load("cccamd.cli.shells").mend()
    for name, summary in COMMANDS.items():
        if name == called:
            _add(app, name, summary)
        else:
            app.command(name, short_help=summary)(_not_called)
    return app


def _narrow() -> int | None:
    """The columns of help on a narrow terminal, for which the library makes lines of 50."""
    columns = shutil.get_terminal_size().columns - 1
    return max(24, columns) if columns < 50 else None


def _add(app: typer.Typer, name: str, summary: str) -> None:
    module = _load(f"cccamd.cli.{MODULES.get(name, name)}")
    group = getattr(module, "app", None)
    if group is None:
        app.command(name, short_help=summary)(getattr(module, name))
    else:
        app.add_typer(group, name=name, short_help=summary)


def _load(name: str) -> ModuleType:
    with staying():
        return import_module(name)


def _typed() -> list[str]:
    """The words behind the program's name; where the shell wants to complete one, those so far."""
    so_far = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS")
    if "_CCCAMD_COMPLETE" in os.environ and so_far:
        return so_far.split()[1:]
    return sys.argv[1:]


def _not_called() -> None:
    raise AssertionError("a command that was not called has run")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cccamd {build()}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command that was typed; a bug of ours shows as one line, too."""
    try:
        command_line(_typed())()
    except CccamdError as error:
        typer.echo(f"cccamd: {error}", err=True)
        sys.exit(EXIT_TROUBLE)
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            typer.echo(f"cccamd: {error.strerror}: not all of it is written", err=True)
            sys.exit(EXIT_TROUBLE)
        if isinstance(error, OSError) and error.filename:
            typer.echo(f"cccamd: {told(error)}", err=True)  # of a file that somebody named
            sys.exit(EXIT_TROUBLE)
        what = f"{type(error).__name__}: {error}"
        hint = f"set {TRACEBACK_VARIABLE}=1 to see where, and please report it"
        typer.echo(f"cccamd: internal error: {what}; {hint}", err=True)
        sys.exit(EXIT_TROUBLE)
