"""TCP connections on asyncio: a thin shell around the objects of `cccamd.wire.link`.

It knows no configuration and no cards: everything is a plain argument.
"""

from cccamd.net.admission import Admission, AdmissionLimits, NoEntry
from cccamd.net.client import Client, ConnectionLost
from cccamd.net.connection import Connected, Connection, Way, peer_address
from cccamd.net.dial import comes_from
from cccamd.net.failures import ConnectError, Step, explain_connect_error, explain_listen_error
from cccamd.net.link import Backoff, Link, LinkEvent, LinkWaiting
from cccamd.net.listener import FAMILY_MISSING, Guest, Listener, ListenError, open_sockets
from cccamd.net.tasks import Alarm, TaskSet

__all__ = [
    "FAMILY_MISSING",
    "Admission",
    "AdmissionLimits",
    "Alarm",
    "Backoff",
    "Client",
    "ConnectError",
    "Connected",
    "Connection",
    "ConnectionLost",
    "Guest",
    "Link",
    "LinkEvent",
    "LinkWaiting",
    "ListenError",
    "Listener",
    "NoEntry",
    "Step",
    "TaskSet",
    "Way",
    "comes_from",
    "explain_connect_error",
    "explain_listen_error",
    "open_sockets",
    "peer_address",
]
