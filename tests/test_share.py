"""What comes with every package is what the code says, and a wheel has it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cccamd.cli.main import COMMANDS
from cccamd.setup.cccamcfg.directives import DIRECTIVES
from cccamd.setup.toml import json_schema

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "share" / "man").rglob("*.[15]"))


def plain(page: Path) -> str:
    """The words of a page: without orders for bold letters, with signs as they are read."""
    text = re.sub(r"\\f[BIR]", "", page.read_text())
    return text.replace(r"\-", "-").replace(r"\(ti", "~").replace(r"\e", "\\")


def test_share_is_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "share.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_every_command_setting_and_key_has_its_place_in_the_manual() -> None:
    names = {page.name for page in PAGES}
    assert {f"cccamd-{name}.1" for name in COMMANDS} < names
    toml = plain(ROOT / "share/man/man5/cccamd.toml.5")
    for name, table in json_schema()["properties"].items():
        assert f"[{name}" in toml
        for key in table.get("items", table).get("properties", {}):
            assert re.search(rf"^(.*[, ])?{key}\b", toml, re.MULTILINE), f"[{name}] {key}"
    config = plain(ROOT / "share/man/man5/CCcam.cfg.5")
    assert [each.name for each in DIRECTIVES if each.name not in config] == []


def test_the_manual_names_every_variable_that_is_read() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    read = set(re.findall(r'environ(?:ment)?\.get\("([A-Z_]+)"', source))
    ours = {name for name in read if not name.startswith(("_TYPER", "COMP_"))}
    assert "STATE_DIRECTORY" in ours
    page = plain(ROOT / "share/man/man1/cccamd.1")
    assert [name for name in ours if name not in page] == []


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not here")
def test_the_pages_are_sound() -> None:
    said = subprocess.run(
        ["mandoc", "-Tlint", "-W", "warning", *PAGES], capture_output=True, text=True, check=False
    )
    assert said.stdout == ""


def test_what_a_wheel_carries_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    for folder in shared:
        assert any(path.is_file() for path in (ROOT / folder).rglob("*"))
    changelog = (ROOT / "debian" / "changelog").read_text()
    version = re.search(r'__version__ = "(.*)"', (ROOT / "src/cccamd/__init__.py").read_text())
    assert version is not None
    assert changelog.startswith(f"cccamd ({version[1]}) ")


def locked(*what: str) -> str:
    """What `locked.py` prints."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "locked.py", *what],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def pins(text: str) -> set[str]:
    """Names, versions and conditions."""
    assert text.count("--hash=sha256:") >= len(text.split("==")) - 1
    return set(re.findall(r"^[a-z0-9.-]+==.*", text, re.MULTILINE))


def names(*what: str) -> set[str]:
    return {pin.partition("==")[0] for pin in pins(locked(*what))}


def test_a_package_takes_of_the_lock_what_it_needs() -> None:
    server = names("server")
    assert {"cryptography", "pydantic-core", "uvicorn", "markupsafe"} < server
    assert not server & {"av", "apprise", "pytest", "mypy", "hatchling", "playwright"}
    assert names("server", "notify") - server > {"apprise", "pyyaml"}
    assert names("server", "mqtt", "fleet") - server == {"paho-mqtt", "hiredis"}
    assert names("server", "rc4") - server == {"arc4"}
    assert {"hatchling", "pathspec"} < names("build")
    assert pins(locked("server", "build")) < pins(locked("server", "build", "demo"))
    assert pins(locked("server", "build", "demo")) < pins(locked("develop"))
    assert locked("develop") == (ROOT / "requirements.lock").read_text()
