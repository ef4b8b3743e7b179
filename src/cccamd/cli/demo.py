"""`cccamd demo`: see the whole thing work, in less than a minute (docs/demo.md)."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cccamd.cli.command import failing_plainly
from cccamd.cli.loading import staying
from cccamd.errors import CccamdError


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the streams, made if missing.")
    ] = Path("demo-output"),
    seconds: Annotated[
        float, typer.Option(min=10, max=300, help="Length of the test picture in seconds.")
    ] = 40,
    period: Annotated[
        float, typer.Option(min=1, max=60, help="Seconds of stream between two control words.")
    ] = 5,
    fast: Annotated[
        bool, typer.Option("--fast", help="As fast as it goes, instead of at double speed.")
    ] = False,
    renewal: Annotated[
        bool,
        typer.Option(
            "--emm",
            help="Begin with an empty card: dark, clear after an EMM, dark when the key expires.",
        ),
    ] = False,
    dvbapi: Annotated[
        bool,
        typer.Option("--dvbapi", help="Watch as a set-top box over dvbapi, not as a CCcam client."),
    ] = False,
    newcamd: Annotated[
        bool,
        typer.Option("--newcamd", help="Ask as a newcamd client, not as a CCcam client."),
    ] = False,
    services: Annotated[
        int,
        typer.Option(min=1, max=32, help="With --dvbapi: services watched at once."),
    ] = 1,
    as_data: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON; the rest goes to stderr.")
    ] = False,
) -> None:
    """Scramble a test picture, descramble it with the help of a server and its card.

    Exit status: 0 all came out as it should, 1 it did not, or something is missing.
    """
    # Not above: a server has no use for transport streams, and starts sooner without.
    with staying():
        from cccamd.lab.demo import Options, run

    # A demo that is ended takes its server with it, as after Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    console = Console(stderr=as_data)
    options = Options(
        output=output,
        seconds=seconds,
        period=period,
        fast=fast,
        renewal=renewal,
        dvbapi=dvbapi,
        newcamd=newcamd,
        services=services,
    )
    with failing_plainly("demo", CccamdError, OSError, status=1):
        report = asyncio.run(run(options, console))
    if as_data:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        report.show(console)
    if not report.is_good:
        raise typer.Exit(1)
