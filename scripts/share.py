"""Write `share/`: what is made from the code's own tables and comes with every package.

Manual pages, completion for shells and the JSON schema of cccamd.toml, at the places where a system
looks for them below /usr or an environment.

    python scripts/share.py [--check]
"""

import json
import re
import sys
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from commandpages import pages
from roff import bold, escape, filled, from_markdown, page, section, tagged, title
from typer._completion_shared import get_completion_script

from cccamd import __version__
from cccamd.cli import shells
from cccamd.setup.toml import json_schema

ROOT: Final = Path(__file__).parent.parent
SHARE: Final = ROOT / "share"
SHELLS: Final = {
    "bash": "bash-completion/completions/cccamd",
    "zsh": "zsh/site-functions/_cccamd",
    "fish": "fish/vendor_completions.d/cccamd.fish",
}
DOCUMENTS: Final = {
    "CCcam.cfg": ("config.md", "accounts and servers of cccamd"),
    "cccamd.toml": ("cccamd.toml.md", "what CCcam.cfg cannot say"),
}


def made() -> Iterator[tuple[str, str]]:
    """Each file below `share/`, and its content."""
    for name, body in pages():
        yield f"man/man1/{name}.1", page([_title(name, 1), *body])
    yield "man/man1/CCcam.1", page([_title("CCcam", 1), *_old_name()])
    for name, (document, summary) in DOCUMENTS.items():
        yield f"man/man5/{name}.5", page([_title(name, 5), *_document(name, document, summary)])
    shells.mend()
    for shell, path in SHELLS.items():
        script = get_completion_script(
            prog_name="cccamd", complete_var="_CCCAMD_COMPLETE", shell=shell
        )
        yield path, script.strip() + "\n"
    yield "cccamd/cccamd.schema.json", json.dumps(json_schema(), indent=2) + "\n"


def _title(name: str, number: int) -> str:
    """Pages are of the day of the release, which debian/changelog has first."""
    changelog = (ROOT / "debian" / "changelog").read_text()
    stamp = re.search(r"^ -- .*>  (.*)$", changelog, re.MULTILINE)
    assert stamp is not None
    day = parsedate_to_datetime(stamp[1]).date().isoformat()
    return title(name, number, day, __version__)


def _document(name: str, document: str, summary: str) -> Iterator[str]:
    yield from (section("Name"), rf"{name} \- {summary}")
    yield section("Description")
    yield from from_markdown((ROOT / "docs" / document).read_text())
    yield section("See also")
    others = [other for other in DOCUMENTS if other != name]
    named = (f"{bold(each)}(5)" for each in others)
    checks = (f"{bold(each)}(1)" for each in ("cccamd", "cccamd-check", "cccamd-schema"))
    yield from filled(", ".join((*checks, *named)))


def _old_name() -> Iterator[str]:
    yield from (section("Name"), r"CCcam \- cccamd under the name of the original")
    yield section("Synopsis")
    yield from filled(f"{bold('CCcam')} [{bold('-C')} \\fIFILE\\fR] [{bold('-dfv')}]")
    yield section("Description")
    yield from filled(
        escape(
            "Starts the server of cccamd as old start scripts expect it: in the background,"
            " unless an option says that somebody looks at it. There is a log only where"
            " CCcam.cfg has a LOG FILE."
        )
    )
    yield section("Options")
    yield from tagged(f"{bold('-C')} \\fIFILE\\fR", "Read this CCcam.cfg.")
    yield from tagged(f"{bold('-d')}, {bold('-v')}", "Stay in the foreground, and log more.")
    yield from tagged(bold("-f"), "Stay in the foreground.")
    yield from filled(escape("Other letters are passed over, and named on the terminal."))
    yield section("Exit status")
    yield from tagged("0", "The server was started, or has stopped.")
    yield from tagged("1", "The server has failed.")
    yield from tagged("2", "The options, or in the foreground the configuration, cannot be used.")
    yield section("See also")
    yield from filled(", ".join(f"{bold(each)}(1)" for each in ("cccamd", "cccamd-serve")))


def check(files: dict[str, str]) -> list[str]:
    """What is not as the code has it."""
    there = {str(path.relative_to(SHARE)) for path in SHARE.rglob("*") if path.is_file()}
    changed = [name for name in files.keys() & there if (SHARE / name).read_text() != files[name]]
    return sorted((*changed, *(files.keys() ^ there)))


def main() -> None:
    """Write the files, or compare them."""
    files = dict(made())
    if sys.argv[1:] == ["--check"]:
        if wrong := check(files):
            raise SystemExit(f"share: make share; not as the code has it: {', '.join(wrong)}")
        return
    for name in check({}):
        (SHARE / name).unlink()
    for name, content in files.items():
        path = SHARE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    main()
