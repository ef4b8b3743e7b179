"""Files as large as they may be: what costs too much is not done for each of a million mistakes."""

from pathlib import Path

from cccamd.localcards import find_kinds
from cccamd.setup.cccamcfg import parse
from cccamd.setup.cccamcfg.classify import LINE_LIMIT
from cccamd.setup.toml.parser import parse as parse_toml
from cccamd.setup.toml.reader import FINDINGS_LIMIT


def test_a_line_of_megabytes_is_ignored_and_the_others_are_read() -> None:
    text = "F: u p 2 0 0 { " + "0:0:2, " * (LINE_LIMIT // 7) + "}\nF: anna secret\n"
    found = parse(text.encode())
    assert [line.user for line in found.config.f_lines] == ["anna"]
    assert [each.text for each in found.diagnostics] == [
        "a line of more than 262,144 characters; it is ignored"
    ]


def test_of_a_table_full_of_mistakes_some_are_told_and_the_rest_counted() -> None:
    text = "[network]\nallow = [" + '"nothing", ' * 20_000 + "]\n"
    found = parse_toml(text, kinds=find_kinds(), folder=Path())
    assert len(found.problems) == FINDINGS_LIMIT + 1
    assert any("19,800 more such places" in each.text for each in found.problems)
