"""Write the bill of materials that the wheel carries (CycloneDX, PEP 770), from requirements.lock.

It lists what a server runs on, in the versions that were tested: not what only developers need.
The lock says of each package who wants it. Nothing in it depends on when or where it is made.

    python scripts/sbom.py [--check]
"""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from locked import ENTRY, VIA

ROOT = Path(__file__).parent.parent
FILE = ROOT / "cccamd.cdx.json"
US = "cccamd"


def read_lock(text: str) -> dict[tuple[str, str], set[str]]:
    """Name and version of each package, and who wants it; what only developers want is no one."""
    wanted: dict[tuple[str, str], set[str]] = {}
    here: set[str] = set()
    for line in text.splitlines():
        if entry := ENTRY.match(line):
            here = wanted.setdefault((entry["name"], entry["version"]), set())
        elif (via := VIA.match(line)) and via["where"] in (None, "pyproject.toml"):
            here.add(via["name"])
    return wanted


def used(wanted: dict[tuple[str, str], set[str]]) -> dict[tuple[str, str], set[str]]:
    """What is wanted by us, or by what is."""
    known, before = {US}, 0
    while len(known) > before:
        before = len(known)
        known |= {name for (name, _), by in wanted.items() if by & known}
    return {package: by & known for package, by in wanted.items() if package[0] in known}


def bill(lock: str, project: dict[str, Any], version: str) -> dict[str, Any]:
    """The whole document."""
    packages = used(read_lock(lock))
    refs = {package: f"pkg:pypi/{package[0]}@{package[1]}" for package in sorted(packages)}
    own = f"pkg:pypi/{US}@{version}"
    components = [
        {"type": "library", "bom-ref": ref, "name": name, "version": number, "purl": ref}
        for (name, number), ref in refs.items()
    ]
    depends = {
        name: sorted(ref for package, ref in refs.items() if name in packages[package])
        for name in {US, *(name for name, _ in packages)}
    }
    content = json.dumps([components, sorted(depends.items())])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, own + content)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": US,
                "version": version,
                "purl": own,
                "description": project["description"],
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": own, "dependsOn": depends[US]},
            *({"ref": ref, "dependsOn": depends[name]} for (name, _), ref in refs.items()),
        ],
    }


def made() -> str:
    """What the file has to say."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = re.search(r'^__version__ = "(.+)"$', (ROOT / "src/cccamd/__init__.py").read_text(), re.M)
    assert own is not None
    document = bill((ROOT / "requirements.lock").read_text(), project, own[1])
    return json.dumps(document, indent=1) + "\n"


def main() -> int:
    """Write it, or say whether it is as it should be."""
    text = made()
    if "--check" in sys.argv[1:]:
        if not FILE.exists() or FILE.read_text() != text:
            print(f"{FILE.name} is not that of requirements.lock: run `make sbom`")
            return 1
        return 0
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
