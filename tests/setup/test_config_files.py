"""Whole files, and the documentation that promises what the tables hold."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from cccamd.setup.cccamcfg import Code, Settings, as_json, parse
from cccamd.setup.cccamcfg.directives import (
    DIRECTIVES,
    KNOWN_KEYS,
    Implemented,
    Obsolete,
    WithoutEffect,
)

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tests" / "data" / "config").glob("*.cfg"))
DOCUMENTATION = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_whole_file(path: Path) -> None:
    result = parse(path.read_bytes())
    form = as_json(result, show_secrets=True)
    codes = [[found["line"], found["code"]] for found in form.pop("diagnostics") if found["line"]]
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert form | {"codes": codes} == expected


def test_files_are_there() -> None:
    assert len(FILES) == 8


def test_json_of_a_message() -> None:
    (message,) = as_json(parse(b"\xef\xbb\xbf"), show_secrets=False)["diagnostics"]
    text = "the file began with a byte order mark, which was skipped"
    assert message == {"line": None, "column": 1, "severity": "N", "code": "N001", "text": text}
    (message,) = as_json(parse(b"F: a b 99"), show_secrets=False)["diagnostics"]
    assert (message["line"], message["column"], message["severity"]) == (1, 8, "W")
    assert "; " in message["text"]


def test_codes_are_those_of_the_documentation() -> None:
    section = DOCUMENTATION.split("\n## 7. ")[1].split("\n## 8. ")[0]
    documented = re.findall(r"\| ([NWE]\d{3}) \|", section)
    assert sorted(documented) == sorted(code.value for code in Code)


def section_2() -> dict[str, list[str]]:
    """Rows of the tables of section 2: from each key in the first column to its cells."""
    section = DOCUMENTATION.split("\n## 2. ")[1].split("\n## 3. ")[0]
    rows: dict[str, list[str]] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows |= dict.fromkeys(re.findall(r"`([A-Z :]+?)`", cells[0]), cells[1:])
    return rows


def test_keys_are_those_of_the_documentation() -> None:
    assert section_2().keys() - {"B:"} == KNOWN_KEYS.keys() - {"SHOW EXTENDED CLIENT INFO"}


@pytest.mark.parametrize("directive", DIRECTIVES, ids=lambda directive: directive.name)
def test_directive_is_as_documented(
    directive: Implemented | WithoutEffect | Obsolete,
) -> None:
    row = section_2()[directive.name]
    match directive:
        case Implemented():
            assert "implemented" in row[-1]
            assert directive.setting in {None, *(field.name for field in fields(Settings))}
        case Obsolete():
            assert "W163" in row[-1]
        case WithoutEffect(quiet=quiet):
            documented = re.findall(r"`([^`]+)`", row[-2] + row[-1])
            assert list(quiet) == documented or row[-2] == "the default"


def test_settings_have_the_documented_defaults() -> None:
    documented = {
        "allow_emm": "yes",
        "disable_emm": "no",
        "global_emm": "2",
        "extra_emm_level": "no",
        "debug": "no",
        "show_timing": "no",
        "show_extended_client_info": "yes",
        "minimum_downhops": "0",
        "caid_prio_file": "/var/etc/CCcam.prio",
        "providerinfo_file": "/var/etc/CCcam.providers",
        "channelinfo_file": "/var/etc/CCcam.channelinfo",
    }
    rows = section_2()
    names = {d.setting: d.name for d in DIRECTIVES if isinstance(d, Implemented)}
    words = {True: "yes", False: "no"}
    for field, text in documented.items():
        assert rows[names[field]][1] == text
        value = getattr(Settings(), field)
        assert (words[value] if isinstance(value, bool) else str(value)) == text


def test_examples_of_the_documentation() -> None:
    valid, refused = DOCUMENTATION.split("Examples, valid:")[1].split("### 3.2")[0].split("```\n\n")
    assert not parse(valid.replace("```", "").encode()).diagnostics
    examples = re.findall(r"`([^`]+)` \([^)]*(E\d{3})", refused)
    assert len(examples) == 6
    for line, code in examples:
        assert [found.code.value for found in parse(line.encode()).diagnostics] == [code]
