"""The command line: one file per command, all gathered here."""

import os
import sys
from typing import Annotated, Final

import typer

from cccamd import __version__
from cccamd.cli.cas import app as cas
from cccamd.cli.check import check
from cccamd.cli.demo import demo
from cccamd.cli.doctor import doctor
from cccamd.cli.explain import explain
from cccamd.cli.journal import journal
from cccamd.cli.probe import probe
from cccamd.cli.serve import serve
from cccamd.cli.status import status
from cccamd.errors import CccamdError

EXIT_TROUBLE: Final = 2
TRACEBACK_VARIABLE: Final = "CCCAMD_TRACEBACK"

app = typer.Typer(
    help="A server, client and workbench for the CCcam protocol that explains itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (serve, status, explain, doctor, journal, check, probe, demo):
    app.command()(command)
app.add_typer(cas, name="cas")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cccamd {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version."),
    ] = False,
) -> None:
    """A server, client and workbench for the CCcam protocol that explains itself."""


def main() -> None:
    """Run the command that was typed; a bug of ours shows as one line, too."""
    try:
        app()
    except CccamdError as error:
        typer.echo(f"cccamd: {error}", err=True)
        sys.exit(EXIT_TROUBLE)
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        what = f"{type(error).__name__}: {error}"
        hint = f"set {TRACEBACK_VARIABLE}=1 to see where, and please report it"
        typer.echo(f"cccamd: internal error: {what}; {hint}", err=True)
        sys.exit(EXIT_TROUBLE)
