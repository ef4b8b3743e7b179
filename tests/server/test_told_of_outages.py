"""A whole cccamd tells of an outage, by a message to a real HTTP server."""

from dataclasses import replace

import pytest
from laboratory import running, setup

from cccamd.lab.ports import free_port
from cccamd.notify import notifier
from messagebox import mailbox


async def test_a_server_tells_of_an_outage_and_which_address_is_of_no_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notifier, "LOOK", 0.05)
    async with mailbox() as box:
        port, upper = free_port(), free_port()
        cline = f"F: anna secret\nC: 127.0.0.1 {upper} anna secret\n"
        toml = f'[notify]\nurls = ["{box.url}"]\nafter = 0\n'
        async with running(cline, toml, port=port) as lab:
            await box.until(1)
            assert box.got[0]["title"] == f"source down: 127.0.0.1:{upper}"
            less = setup(cline, '[notify]\nurls = ["nothing://hunter2"]\n', port=port)
            await lab.server.reload(replace(less, node_id=lab.server._setup.node_id))
            (problem,) = lab.server._book.state().problems
            assert "[notify] urls" in problem.text
            assert "hunter2" not in problem.text
