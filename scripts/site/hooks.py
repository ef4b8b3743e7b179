"""What mkdocs is told besides mkdocs.yml: pages that do not lie in docs/, and links that leave it.

`reference/` is made from the code's own tables (reference.py) before mkdocs runs. SECURITY.md and
CHANGELOG.md stay in the project's root, where people look for them.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
MADE = ROOT / "build" / "reference"
FROM_ROOT = ("SECURITY.md", "CHANGELOG.md")
_INTO_DOCS = re.compile(r"\]\(docs/")
_TO_ROOT = re.compile(rf"\]\((?:\.\./)+({'|'.join(map(re.escape, FROM_ROOT))})")
_TO_SOURCE = re.compile(r"\[([^\]]+)\]\((?:\.\./)*(?:src|contrib|tests)/[^)]*\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from elsewhere."""
    for name in FROM_ROOT:
        text = _INTO_DOCS.sub("](", (ROOT / name).read_text(encoding="utf-8"))
        files.append(File.generated(config, name, content=text))
    for path in sorted(MADE.glob("*.md")):
        files.append(File.generated(config, f"reference/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to files of the root and to sources, as they have to be in the site."""
    up = "../" * page.file.src_uri.count("/")
    markdown = _TO_SOURCE.sub(r"\1", markdown)
    return _TO_ROOT.sub(rf"]({up}\1", markdown)
