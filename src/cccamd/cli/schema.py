"""`cccamd schema`: what may stand in cccamd.toml, for editors."""

import json

import typer

from cccamd.cli.command import AsData
from cccamd.setup.toml import json_schema


def schema(as_data: AsData = False) -> None:
    """Print a JSON schema of cccamd.toml, for editors that complete and check.

    It is JSON with and without --json.

    Exit status: 0 printed.
    """
    typer.echo(json.dumps(json_schema(), indent=2))
