"""docs/promises.md: no promise without a test that attacks it, and every test it names is there."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs" / "promises.md").read_text()
ROWS = re.findall(r"^\| ([A-Z].+?) \| (`.+?) \|$", TEXT, re.MULTILINE)
NAMED = re.compile(r"`((?:\w+/)*test_\w+\.py)::(\w+)`")
TOLD = sorted({named for _, tests in ROWS for named in NAMED.findall(tests)})


def test_there_are_promises_and_each_is_attacked() -> None:
    assert len(ROWS) == TEXT.count("\n| ") - 1, "a row that is not understood"
    assert len(ROWS) >= 12
    for promise, tests in ROWS:
        assert len(NAMED.findall(tests)) == tests.count("::") >= 1, promise


@pytest.mark.parametrize(("path", "name"), TOLD)
def test_the_test_is_there(path: str, name: str) -> None:
    text = (TESTS / path).read_text()
    assert re.search(rf"^(?:async )?def {name}\(|^{name} = ", text, re.MULTILINE), name
