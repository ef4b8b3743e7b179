"""The web pages: a snapshot in, a response out. Knows no daemon."""

from cccamd.web.api import api_routes
from cccamd.web.apimodels import (
    ClientInfo,
    NoteInfo,
    ServerInfo,
    ServiceInfo,
    SourceInfo,
    Status,
    SystemInfo,
)
from cccamd.web.apireports import HistoryInfo, PointInfo
from cccamd.web.app import create_app
from cccamd.web.context import (
    Login,
    WebContext,
)
from cccamd.web.endpoints import Explainer
from cccamd.web.oldwords import clean, duration, heading, home_lines, version_word
from cccamd.web.scraping import metrics_route
from cccamd.web.serving import WebServer

__all__ = [
    "ClientInfo",
    "Explainer",
    "HistoryInfo",
    "Login",
    "NoteInfo",
    "PointInfo",
    "ServerInfo",
    "ServiceInfo",
    "SourceInfo",
    "Status",
    "SystemInfo",
    "WebContext",
    "WebServer",
    "api_routes",
    "clean",
    "create_app",
    "duration",
    "heading",
    "home_lines",
    "metrics_route",
    "version_word",
]
