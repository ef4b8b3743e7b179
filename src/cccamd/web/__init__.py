"""The web pages: facts in, a response out. Knows no server.

What serves them is loaded by `WebDoor` when somebody comes.
"""

from cccamd.web.context import WebContext
from cccamd.web.door import WebDoor

__all__ = ["WebContext", "WebDoor"]
