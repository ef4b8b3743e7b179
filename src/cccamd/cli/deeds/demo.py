"""`cccamd demo`: scramble a test picture, and see it again through a server."""

import asyncio
import json
import signal

import typer
from rich.console import Console

from cccamd.cli.command import failing_plainly
from cccamd.errors import CccamdError
from cccamd.lab.demo import Options, run


def run_demo(options: Options, *, as_data: bool) -> None:
    """Run it, and show what came of it."""
    # A demo that is ended takes its server with it, as after Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    console = Console(stderr=as_data)
    with failing_plainly("demo", CccamdError, OSError, status=1):
        report = asyncio.run(run(options, console))
    if as_data:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        report.show(console)
    if not report.is_good:
        raise typer.Exit(1)
