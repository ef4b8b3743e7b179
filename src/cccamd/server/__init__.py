"""The running program: sessions, upstream links, local cards, and the server around them."""

from cccamd.server.bans import BANS_FILE_NAME
from cccamd.server.clerk import Clerk, hands_of
from cccamd.server.control import ControlDoor
from cccamd.server.desk import Desk
from cccamd.server.joining import KEY_SETTING, join
from cccamd.server.logs import AccountFocus, logs_that_fail, set_up_logging
from cccamd.server.membership import Membership
from cccamd.server.reload import FileWatch, Reloader
from cccamd.server.server import Server
from cccamd.server.upstreams import target_of

__all__ = [
    "BANS_FILE_NAME",
    "KEY_SETTING",
    "AccountFocus",
    "Clerk",
    "ControlDoor",
    "Desk",
    "FileWatch",
    "Membership",
    "Reloader",
    "Server",
    "hands_of",
    "join",
    "logs_that_fail",
    "set_up_logging",
    "target_of",
]
