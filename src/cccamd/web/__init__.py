"""The web pages: facts in, a response out. Knows no server."""

from cccamd.web.app import create_app
from cccamd.web.context import WebContext
from cccamd.web.serving import WebServer

__all__ = ["WebContext", "WebServer", "create_app"]
