"""What a server does with signals before it can do anything: remember them.

Loading it takes half a second on a small machine. A HUP in that time, from a script that has
just written the files, would end it, as HUP does where nobody handles it.
"""

import signal
from types import FrameType


class HangUp:
    """Notes that HUP came."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        self.came = True


early_hang_up = HangUp()


def hold() -> None:
    """Let HUP be noted from now on, and Ctrl-C end us without a traceback."""
    signal.signal(signal.SIGHUP, early_hang_up)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
