"""`cccamd`, also as `python -m cccamd`: holds the signals of a server, then loads the rest."""

import os
import sys
from contextlib import suppress

from cccamd.signals import hold


def main() -> None:
    """Run the command that was typed."""
    _open_what_was_closed()
    if next((word for word in sys.argv[1:] if not word.startswith("-")), "") == "serve":
        hold()
    from cccamd.cli import main as run

    run()


def _open_what_was_closed() -> None:
    """Whoever starts us may have closed the standard streams, as old init scripts do.

    Without this the next file or socket would have their numbers, and all that is printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        with suppress(OSError):
            if os.open(os.devnull, os.O_RDWR) == number:
                setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def main_as_original() -> None:
    """Be started as `CCcam`, with the options that the original has."""
    from cccamd.cli import prepare

    sys.argv[1:] = prepare()
    main()


if __name__ == "__main__":
    main()
