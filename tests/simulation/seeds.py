"""The seeds that found something."""

from pathlib import Path


def kept(name: str) -> list[str]:
    """Those of a file beside this one: a seed a line, and what it found."""
    lines = Path(__file__).with_name(name).read_text().splitlines()
    return [line.split()[0] for line in lines if line and not line.startswith(("#", " "))]
