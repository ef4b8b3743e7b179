"""Says who has a port that this server wants, in the doctor's words."""

import asyncio
import errno

from cccamd.machine import holder_of
from cccamd.net import ListenError
from cccamd.setup.cccamcfg import Config
from cccamd.setup.toml import TomlConfig
from cccamd.why import explain_taken, wanted_ports


async def with_holder(error: ListenError, config: Config, toml: TomlConfig) -> ListenError:
    """The same error, naming the program that has the port, where that is what is wrong."""
    cause = error.__cause__
    wanted = next((one for one in wanted_ports(config, toml) if one.port == error.port), None)
    if wanted is None or not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
        return error
    # A thread: it looks through all sockets and processes of the machine.
    holder = await asyncio.to_thread(holder_of, error.port, (error.address,))
    found = explain_taken(wanted, holder)
    reason = f"{found.text}. {found.change} cccamd doctor looks at everything else."
    return ListenError(error.address, error.port, reason)
