"""A whole server in the process of the bench, for what cannot be seen from outside."""

import logging
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cccamd.lab.ports import free_port
from cccamd.localcards import find_kinds
from cccamd.server import Server
from cccamd.server.logs import set_up_logging
from cccamd.setup.cccamcfg import parse
from cccamd.setup.setup import Setup
from cccamd.setup.toml import parse as parse_toml
from cccamd.wire.cccam import make_node_id
from rig.serving import BOUND, MANY, TEST_CARD


@asynccontextmanager
async def server_inside(accounts: int) -> AsyncIterator[tuple[Server, int]]:
    """A server with journal, log and a `test` card for user0, user1, ...; and its port.

    The lines of its log are put together, and go nowhere.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as name, open("/dev/null", "w") as nowhere:
        lines = "".join(f"F: user{number} secret\n" for number in range(accounts))
        cfg = f"SERVER LISTEN PORT : {port}\nALLOW TELNETINFO : no\n{lines}"
        cfg += f"WEBINFO LISTEN PORT : {free_port()}\n"
        config = parse(cfg.encode()).config
        toml = parse_toml(BOUND + TEST_CARD + MANY, kinds=find_kinds(), folder=Path(name))
        assert not toml.problems, [str(each) for each in toml.problems]
        out, sys.stdout = sys.stdout, nowhere
        set_up_logging(config.settings, debug=False)
        sys.stdout = out
        server = Server(Setup(config=config, toml=toml.config, node_id=make_node_id(b"benc")))
        await server.start()
        try:
            yield server, port
        finally:
            await server.stop()
            logging.shutdown()
