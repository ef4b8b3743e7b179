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
from cccamd.web.metrics import Metrics, metrics_route
from cccamd.web.oldpages import old_page_routes
from cccamd.web.oldtables import Look
from cccamd.web.serving import WebServer
from cccamd.web.telnet import TelnetDialogue, telnet_refusal

__all__ = [
    "ClientInfo",
    "Explainer",
    "HistoryInfo",
    "Login",
    "Look",
    "Metrics",
    "NoteInfo",
    "PointInfo",
    "ServerInfo",
    "ServiceInfo",
    "SourceInfo",
    "Status",
    "SystemInfo",
    "TelnetDialogue",
    "WebContext",
    "WebServer",
    "api_routes",
    "create_app",
    "metrics_route",
    "old_page_routes",
    "telnet_refusal",
]
