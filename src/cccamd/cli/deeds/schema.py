"""`cccamd schema`: what may stand in cccamd.toml, for editors."""

import json

import typer

from cccamd.setup.toml import json_schema


def run(*, as_data: bool) -> None:
    """Print a JSON schema of cccamd.toml, for editors that complete and check."""
    typer.echo(json.dumps(json_schema(), indent=2))
