"""The guide and the cookbook do what they say: their files are written, their commands are run.

On machines in network namespaces, with the addresses and the ports that the pages name.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pagesteps import Step, as_dicts, is_told, steps_of

from cccamd.localcards import find_kinds
from cccamd.setup.cccamcfg import Severity, parse
from cccamd.setup.toml import parse as parse_toml

DOCS = Path(__file__).parents[2] / "docs"
PLAYER = Path(__file__).parent / "pageplayer.py"
NEEDED = ("bash", "ip", "unshare", "nsenter", "mount")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
UNSHARE = ("unshare", "-rnmpf", "--mount-proc", "--kill-child")
"""All that is started ends with the player."""
MASKED = ("/etc", "/run", "/var")
CARD = '[[card]]\nkind = "test"\ncaid = "0B00"\nproviders = ["030B00"]\n'
IN_OSCAM = (
    Step("run", "oscam", "cccamd import oscam /etc/oscam --out /etc/cccam", "..."),
    Step("write", "oscam", "/etc/cccam/cccamd.toml", CARD),
    Step("start", "oscam", ""),
)
"""In the place of an OSCam: this server with what it takes over from OSCam's files, and a card."""


@dataclass(frozen=True)
class Scene:
    """The machines of a page, and what it takes for granted."""

    machines: dict[str, list[str]]
    names: dict[str, str] = field(default_factory=dict)


HOME = {
    "server": ["192.168.1.2/24"],
    "oscam": ["192.168.1.20/24"],
    "livingroom": ["192.168.1.31/24"],
}
SCENES = {
    "guide": Scene(HOME),
    "moving-from-cccam": Scene({"server": ["192.168.1.2/24"], "oscam": ["192.168.1.20/24"]}),
    "cookbook/one-card-three-receivers": Scene(HOME | {"bedroom": ["192.168.1.32/24"]}),
    "cookbook/two-houses": Scene(
        {
            "house": ["192.168.1.2/24", "10.9.0.1/24"],
            "cottage": ["192.168.5.2/24", "10.9.0.2/24"],
            "livingroom": ["192.168.1.31/24"],
            "kitchen": ["192.168.5.31/24"],
        }
    ),
    "cookbook/caching-node": Scene(
        {
            "headend-a": ["10.20.0.2/16"],
            "headend-b": ["10.20.0.3/16"],
            "node": ["10.30.0.2/16"],
            "room": ["10.30.1.1/16"],
        }
    ),
    "cookbook/laboratory": Scene({"lab": ["10.40.0.2/24"], "bench": ["10.40.0.31/24"]}),
    "cookbook/dreambox-of-2009": Scene(HOME | {"dreambox": ["192.168.1.35/24"]}),
    "cookbook/tvheadend": Scene(HOME | {"tvheadend": ["192.168.1.40/24"]}),
}


def _why_not() -> str:
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if missing := [name for name in NEEDED if shutil.which(name, path=PATH) is None]:
        return f"not installed: {', '.join(missing)}"
    for place in (sys.prefix, sys.base_prefix, str(PLAYER)):
        if place.startswith(MASKED):
            return f"{place} is where the machines have folders of their own"
    command = "ip link add wires type bridge && mount -t tmpfs none /run && unshare -nm true"
    done = subprocess.run(
        ["unshare", "-rnm", "sh", "-c", command], capture_output=True, check=False
    )
    return "namespaces are not allowed here" if done.returncode else ""


WHY_NOT = _why_not()


def text_of(page: str) -> str:
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")


@pytest.mark.processes
@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
@pytest.mark.parametrize("page", SCENES)
def test_a_page_does_what_it_says(page: str) -> None:
    steps: list[Step] = []
    for step in steps_of(text_of(page)):
        steps += IN_OSCAM if step.what == "oscam" else [step]
    scene = SCENES[page]
    done = subprocess.run(
        [*UNSHARE, sys.executable, str(PLAYER)],
        input=json.dumps(
            {"machines": scene.machines, "names": scene.names, "steps": as_dicts(steps)}
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert not done.returncode, done.stderr
    for command, printed, shown, status in json.loads(done.stdout):
        assert is_told(printed, shown), (
            f"{command}\nprinted:\n{printed}\nand the page has:\n{shown}"
        )
        assert not status, command


def test_every_page_that_can_be_played_is() -> None:
    pages = [path.relative_to(DOCS).with_suffix("") for path in (DOCS / "cookbook").glob("*.md")]
    assert {str(page) for page in pages} - {"cookbook/index"} <= SCENES.keys()


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_every_file_that_a_page_shows_is_one_without_a_mistake(path: Path) -> None:
    for step in steps_of(path.read_text(encoding="utf-8")):
        if step.what == "write" and step.text.endswith("CCcam.cfg"):
            found = parse(step.more.encode()).diagnostics
            assert not [each for each in found if each.severity is not Severity.NOTE], step.text
        if step.what == "write" and step.text.endswith("cccamd.toml"):
            assert not parse_toml(step.more, kinds=find_kinds(), folder=Path("/")).problems, (
                step.text
            )


def test_what_a_page_shows_is_compared_but_for_what_changes() -> None:
    assert is_told("ok  login after 9 ms\n", "ok login after 12.5 ms")
    assert is_told("one\ntwo\nthree", "one\n...\nthree")
    assert not is_told("ok  login\n", "ok logout")
    assert not is_told("one\ntwo", "one")


def test_steps_come_in_the_order_of_the_page() -> None:
    page = (
        '```ini title="attic: /etc/CCcam.cfg"\nF: a b\n```\n<!-- play: start attic -->\n'
        "```console\nattic$ cccamd status \\\n    --json\n{}\nattic$ true\n```\n```\nnothing\n```\n"
    )
    assert steps_of(page) == [
        Step("write", "attic", "/etc/CCcam.cfg", "F: a b\n"),
        Step("start", "attic", ""),
        Step("run", "attic", "cccamd status --json", "{}"),
        Step("run", "attic", "true", ""),
    ]
