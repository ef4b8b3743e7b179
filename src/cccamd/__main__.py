"""`python -m cccamd` is `cccamd`."""

from cccamd.cli import main

main()
