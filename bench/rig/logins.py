"""Single logins to be awaited, for benches that look at something else than load."""

import os

from cccamd.net import Client
from cccamd.wire.cccam import Caller, ClientProtocol, Identity, Target, make_node_id
from rig.serving import HOST


async def log_in(port: int, number: int) -> Client[ClientProtocol]:
    """Log in as user0, user1, ...: one of the accounts that `serving.cccamd` writes."""
    user = f"user{number}".encode()
    target = Target(host=HOST, port=port, user=user, password=b"secret")
    identity = Identity(make_node_id(os.urandom(4)), "bench")
    return await Client.connect(HOST, port, Caller(target, identity))
