"""The web pages: facts in, a response out. Knows no server.

What serves them is loaded by `WebDoor` when somebody comes.
"""

from cccamd.web.context import WebContext
from cccamd.web.door import WebDoor
from cccamd.web.hands import AccountBook, AccountRow, Entry, Hands, NumberedLine

__all__ = [
    "AccountBook",
    "AccountRow",
    "Entry",
    "Hands",
    "NumberedLine",
    "WebContext",
    "WebDoor",
]
