"""`cccamd`, also as `python -m cccamd`: holds the signals of a server, then loads the rest."""

import sys

from cccamd.signals import hold


def main() -> None:
    """Run the command that was typed."""
    if next((word for word in sys.argv[1:] if not word.startswith("-")), "") == "serve":
        hold()
    from cccamd.cli import main as run

    run()


def main_as_original() -> None:
    """Be started as `CCcam`, with the options that the original has."""
    from cccamd.cli import prepare

    sys.argv[1:] = prepare()
    main()


if __name__ == "__main__":
    main()
