"""`cccamd schema`: what may stand in cccamd.toml, for editors."""

from cccamd.cli.command import AsData
from cccamd.cli.loading import deed


@deed
def schema(as_data: AsData = False) -> None:
    """Print a JSON schema of cccamd.toml, for editors that complete and check.

    It is JSON with and without --json.

    Exit status: 0 printed.
    """
