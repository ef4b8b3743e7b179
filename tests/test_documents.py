"""The pages of docs/: each is in the site's contents, and what they link to is there.

`make site` sees to the same, and to more; this is for those who change a page and do not build it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from cccamd.routing import Result

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE = "reference/"
"""Pages that are written when the site is built."""
PAGES = sorted(DOCS.rglob("*.md"))
_CODE = re.compile(r"^ *(`{3,}).*?^ *\1$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (?P<text>.*?)(?: \{ #(?P<id>[\w-]+) \})?$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")


def anchors_of(page: Path) -> set[str]:
    """Of its headings, as GitHub and the site make them."""
    found: set[str] = set()
    for heading in _HEADING.finditer(_CODE.sub("", page.read_text())):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["text"]).lower()
        found.add(heading["id"] or re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-"))
    return found


def broken_links(page: Path) -> Iterator[str]:
    """Files and anchors that are not there."""
    for link in _LINK.finditer(_CODE.sub("", page.read_text())):
        target = (page.parent / link["path"]).resolve() if link["path"] else page
        if target.is_relative_to(DOCS) and str(target.relative_to(DOCS)).startswith(MADE):
            continue
        # The site has these two beside the pages of docs/.
        if target.name in ("SECURITY.md", "CHANGELOG.md"):
            target = ROOT / target.name
        anchor = link["anchor"]
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            yield link[0]


def test_every_page_is_in_the_contents_of_the_site() -> None:
    listed = re.findall(r"^ +- (?:.*: )?([\w./-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert len(listed) == len(set(listed))
    pages = {str(page.relative_to(DOCS)) for page in PAGES}
    own = {name for name in listed if not name.startswith(MADE)} - {"SECURITY.md", "CHANGELOG.md"}
    assert pages == own, "add new pages to `nav` in mkdocs.yml"


def test_links_between_pages_lead_somewhere() -> None:
    found = {
        str(page.relative_to(ROOT)): broken
        for page in [*PAGES, ROOT / "README.md", ROOT / "SECURITY.md"]
        if (broken := list(broken_links(page)))
    }
    assert not found


def test_what_came_of_a_request_is_told_on_the_page_of_troubles() -> None:
    text = (DOCS / "trouble.md").read_text()
    assert not [result.value for result in Result if result.value not in text]
