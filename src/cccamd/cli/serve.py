"""`cccamd serve`: run the server."""

from pathlib import Path
from typing import Annotated

import typer

from cccamd.cli.loading import deed


@deed
def serve(
    config: Annotated[
        Path | None,
        typer.Option(
            "-C",
            "--config",
            metavar="FILE",
            help="CCcam.cfg; one that does not exist counts as empty. Without it the first that"
            " exists of /var/etc/CCcam.cfg, /etc/CCcam.cfg, /etc/cccam/CCcam.cfg is read.",
        ),
    ] = None,
    toml: Annotated[
        Path | None,
        typer.Option(
            "-T",
            "--toml",
            metavar="FILE",
            help="cccamd.toml: local cards, allowed networks, limits. Without it the"
            " cccamd.toml beside CCcam.cfg is read if there is one.",
        ),
    ] = None,
    node_id: Annotated[
        Path | None,
        typer.Option(
            "-n", "--node-id", metavar="FILE", help="Where the node id of this server is kept."
        ),
    ] = None,
    debug: Annotated[
        bool,
        typer.Option(
            "-d",
            "--debug",
            help="Show logins, handshakes, versions, ECM requests and answers with their time.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=0,
            max=64,
            help="Processes that hold the connections of CCcam clients, whatever [server] workers"
            " in cccamd.toml says; 0: the server does that itself.",
        ),
    ] = None,
    as_data: Annotated[
        bool,
        typer.Option("--json", help="Log JSON, one object a line, whatever [log] format says."),
    ] = False,
) -> None:
    """Run the server until it is stopped (Ctrl-C, or the signal TERM).

    Without any configuration it starts with an example: one test card and one account, and
    prints the C-line to put into a receiver.

    Exit status: 0 stopped, 1 the server has failed, 2 the configuration cannot be used or a port is
    taken.
    """
