"""`python -m cccamd` is `cccamd`."""

from cccamd.cli.main import app

app()
