"""Every input that fuzzing has kept is still taken without an error of ours (docs/fuzzing.md)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzztargets import TARGETS

CORPUS = Path(__file__).parent.parent / "data" / "fuzz"


@pytest.fixture(autouse=True)
def _close_loops() -> Iterator[None]:
    import fuzztargets

    yield
    while fuzztargets._web:
        fuzztargets._web.pop().loop.close()


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_kept(name: str) -> None:
    kept = sorted((CORPUS / name).iterdir())
    assert kept
    for path in kept:
        TARGETS[name](path.read_bytes())
