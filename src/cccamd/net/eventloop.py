"""The event loop that a server runs on."""

import asyncio
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Make uvloop's loops where it is installed (it is where it has wheels); None: asyncio's own.

    It moves a request and its answer in some 4 µs less.
    """
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
