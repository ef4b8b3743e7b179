"""`cccamd demo`: see the whole thing work, in less than a minute (docs/demo.md)."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.loading import staying


def demo(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder for the streams, made if missing."
        ),
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
    with staying():
        from cccamd.cli.deeds.demo import run_demo
        from cccamd.lab.demo import Options

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
    run_demo(options, as_data=as_data)
