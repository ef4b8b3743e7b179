"""`cccamd`, also as `python -m cccamd`: holds the signals of a server, then loads the rest."""

import sys

from cccamd.signals import hold


def main() -> None:
    """Run the command that was typed."""
    if next((word for word in sys.argv[1:] if not word.startswith("-")), "") == "serve":
        hold()
    from cccamd.cli import main as run

    run()


if __name__ == "__main__":
    main()
