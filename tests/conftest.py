"""Settings for all tests."""

from typing import Any

import pytest
from _pytest.monkeypatch import derive_importpath
from hypothesis import settings

from cccamd.lab.ts import CsaLibraryMissing, require_csa
from flavour import COMPILED, is_fixed, replace_for_python

settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile("deep", max_examples=5000, deadline=None)
settings.load_profile("quick")

collect_ignore: list[str] = []
try:
    require_csa()
except CsaLibraryMissing:
    collect_ignore += [
        "lab/test_csa.py",
        "lab/test_broadcast.py",
        "lab/test_comparison.py",
        "lab/test_demo_client.py",
        "lab/test_demo_command.py",
        "lab/test_demo_run.py",
        "lab/test_picture.py",
        "lab/test_receiver.py",
        "lab/test_report.py",
        "lab/test_scrambler.py",
        "lab/test_set_top_box.py",
    ]


def pytest_report_header() -> list[str]:
    """Say what is left out, and why."""
    if not collect_ignore:
        return []
    return ["libdvbcsa is missing (apt-get install libdvbcsa1): without descrambling tests"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On the compiled flavour leave out what only the other can show."""
    if COMPILED:
        for item in items:
            if marker := item.get_closest_marker("pure_only"):
                item.add_marker(pytest.mark.skip(reason=f"pure_only: {marker.args[0]}"))


if COMPILED:

    def _noticed(self: pytest.MonkeyPatch, target: Any, name: Any, *value: Any, **how: Any) -> None:
        """A test that replaces what compiled code doesn't look up would show nothing."""
        owner, attribute = target, name
        if isinstance(target, str):
            owner, attribute = derive_importpath(target, True)[::-1]
        if is_fixed(owner, attribute):
            pytest.fail(f"{owner!r}.{attribute} is compiled: replacing it has no effect")
        replace_for_python(self, target, name, *value, **how)

    pytest.MonkeyPatch.setattr = _noticed  # type: ignore[method-assign]
