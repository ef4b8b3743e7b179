"""A whole cccamd tells of an outage, by a message to a real HTTP server."""

import asyncio
import threading
from dataclasses import replace

import pytest
from laboratory import TEST_CARD, Laboratory, ask, cards_of, expected_cw, running, setup

from cccamd.lab.ports import free_port
from cccamd.notify import notifier
from cccamd.server import Server
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
            (told,) = [each for each in lab.server.incidents() if each.ended_at is None]
            notify = lab.server._outward.notifier
            assert told in notify._incidents(), "it is told in the words of the list"
            less = setup(cline, '[notify]\nurls = ["nothing://hunter2"]\n', port=port)
            await lab.server.reload(replace(less, node_id=lab.server._setup.node_id))
            (problem,) = lab.server._book.state().problems
            assert "[notify] urls" in problem.text
            assert "hunter2" not in problem.text


async def test_clients_do_not_wait_for_what_is_loaded_to_tell_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At a start: for a second or two on a large machine, and ten on a receiver."""
    loaded, load = threading.Event(), notifier.open_service

    def load_slowly(number: int, url: str) -> object:
        loaded.wait(20.0)
        return load(number, url)

    monkeypatch.setattr(notifier, "open_service", load_slowly)
    port = free_port()
    toml = f'{TEST_CARD}\n[notify]\nurls = ["json://127.0.0.1:9"]\n'
    server = Server(setup("F: anna secret", toml, port=port))
    starting = asyncio.create_task(server.start())  # noqa: TID251
    try:
        async with asyncio.timeout(10.0):
            while not server.snapshot().cards:
                await asyncio.sleep(0.01)
        async with Laboratory(server, port).client() as client:
            await cards_of(client)
            assert await ask(client, b"\x80early") == expected_cw(b"\x80early")
        assert not starting.done()
    finally:
        loaded.set()
        await starting
        await server.stop()
