"""What the service manager is told: that we serve, that we live, that we stop (sd_notify(3))."""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Final

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"
_BEATS: Final = 3
"""Signs of life within the time that the manager waits for one."""


class ServiceManager:
    """The one that started us, told what it asked to know; silent where none asked."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """`environ`: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as systemd sets them."""
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self.interval = _interval(environ) if self._address else None
        """Seconds between two signs of life; None: nobody waits for any."""

    def tell(self, state: str) -> bool:
        """Send one state; never waits, and whether it arrives is not our trouble."""
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as door:
                door.sendto(state.encode(), self._address)
        except OSError:
            return False
        return True

    def ready(self) -> None:
        """Say that clients are served from now on."""
        self.tell(READY)

    def stopping(self) -> None:
        """Say that the end has begun."""
        self.tell(STOPPING)

    async def live(self) -> None:
        """Give signs of life until cancelled; the loop that runs this is what they speak for."""
        while self.interval is not None:
            self.tell(ALIVE)
            await asyncio.sleep(self.interval)


def _interval(environ: Mapping[str, str]) -> float | None:
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None  # meant for the process that started us
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    return int(microseconds) / 1_000_000 / _BEATS
