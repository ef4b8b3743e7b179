"""The servers and clients of the tests of the server are used here, too."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.append(str(Path(__file__).parent.parent / "server"))
sys.path.append(str(Path(__file__).parent))

from names import AtOnce, Names


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    made = Names()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", made.find)
        # Threads do not live in the time that flies.
        module = sys.modules["cccamd.net.resolve"]
        patch.setattr(module, "threading", SimpleNamespace(Thread=AtOnce))
        yield made
