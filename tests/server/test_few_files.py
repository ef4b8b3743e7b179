"""How many connections a server takes in goes by the descriptors that it may have."""

import resource

import pytest

from cccamd.server.settings import admission_limits
from cccamd.setup.toml import TomlConfig


@pytest.mark.parametrize(
    ("files", "connections", "pending"),
    [(64, 8, 8), (256, 64, 64), (1024, 448, 448), (100_000, 2000, 1000)],
)
def test_few_descriptors_are_shared_and_not_all_kept_back(
    files: int, connections: int, pending: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    limits = admission_limits(TomlConfig())
    assert (limits.connections, limits.pending_logins) == (connections, pending)
