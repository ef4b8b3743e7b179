"""Installs a real package with card kinds: files in a folder, as pip leaves them."""

from pathlib import Path


def install(folder: Path, *, name: str, entry_points: dict[str, str], source: str) -> None:
    """Put module `name` and its metadata into `folder`, which is or will be on sys.path."""
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    lines = [f"{kind} = {value}" for kind, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[cccamd.cards]", *lines, ""]))
