"""The web pages: facts in, a response out. Knows no server."""

from cccamd.web.app import create_app
from cccamd.web.context import Login, WebContext
from cccamd.web.oldwords import clean, duration, heading, home_lines, version_word
from cccamd.web.serving import WebServer

__all__ = [
    "Login",
    "WebContext",
    "WebServer",
    "clean",
    "create_app",
    "duration",
    "heading",
    "home_lines",
    "version_word",
]
