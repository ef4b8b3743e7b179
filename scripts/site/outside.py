"""See that no page of the built site fetches anything from elsewhere.

    outside.py FOLDER

Links that people follow may lead anywhere; what a browser loads by itself may not.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
_LINKS_LOADED = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "manifest"}
_ELSEWHERE = re.compile(r"^(?:https?:)?//")
_IN_STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what this element loads."""
        given = dict(attrs)
        address = given.get(LOADED.get(tag, "")) or ""
        if tag == "link" and _LINKS_LOADED & set((given.get("rel") or "").split()):
            address = given.get("href") or ""
        if _ELSEWHERE.match(address):
            self.found.append(f"<{tag}> {address}")


def main(folder: Path) -> int:
    """Say what is fetched from elsewhere, and by which file; 0: nothing."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".html":
            page = _Page()
            page.feed(path.read_text(encoding="utf-8"))
            found += [f"{path.relative_to(folder)}: {each}" for each in page.found]
        elif path.suffix == ".css":
            addresses = _IN_STYLE.findall(path.read_text(encoding="utf-8"))
            found += [f"{path.relative_to(folder)}: {each}" for each in addresses]
    for each in found:
        print(f"site: fetched from elsewhere: {each}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
