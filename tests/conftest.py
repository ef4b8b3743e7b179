"""Settings for all tests."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.monkeypatch import derive_importpath
from hypothesis import settings

from cccamd.lab.ts import CsaLibraryMissing, require_csa
from cccamd.server import logs
from flavour import COMPILED, is_fixed, replace_for_python

# Many tests start the program, and each worker reads all tests: what was compiled is kept.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

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


WAITING = ("lab", "web", "cli", "server", "faults", "net", "simulation")
"""The folders with browsers, processes and namespaces: who waits goes first, and the thousands of
short tests fill what is left, so that no process is alone with a long file at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; on the compiled flavour leave out what only the other can show."""
    order = {folder: number for number, folder in enumerate(WAITING)}
    folder = len(Path(__file__).parent.parts)
    items.sort(key=lambda item: order.get(item.path.parts[folder], len(order)))
    if COMPILED:
        for item in items:
            if marker := item.get_closest_marker("pure_only"):
                item.add_marker(pytest.mark.skip(reason=f"pure_only: {marker.args[0]}"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """All that is read stays: a fifth of the time would go into looking for garbage in it, and most
    of each later look of a test."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.enable()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[object]:
    """Each test finds our log as the first did: what one sends elsewhere (set_up_logging) would
    be missing, or twice, in the next one's `caplog`."""
    everything, ours = logging.getLogger(), logging.getLogger("cccamd")
    result = yield
    for logger in (ours, logging.getLogger("cccamd.login")):
        logs._remove_handlers(logger)
    for handler in [each for each in everything.handlers if isinstance(each, logs._Libraries)]:
        everything.removeHandler(handler)
    logging.captureWarnings(False)
    ours.propagate = True
    ours.setLevel(logging.NOTSET)
    return result


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
