"""TCP connections on asyncio: a thin shell around `cccamd.wire.cccam`.

It knows no configuration and no cards: everything is a plain argument.
"""

from cccamd.net.admission import Admission, AdmissionLimits, Refusal
from cccamd.net.alarm import Alarm
from cccamd.net.backoff import Backoff
from cccamd.net.client import Client, ConnectionLost
from cccamd.net.connection import Connected, Connection, peer_address
from cccamd.net.dial import Identity, Target, comes_from, dial
from cccamd.net.failures import ConnectError, Step, explain_connect_error, explain_listen_error
from cccamd.net.link import Link, LinkWaiting
from cccamd.net.listener import FAMILY_MISSING, Listener, ListenError, open_sockets
from cccamd.net.tasks import TaskSet
from cccamd.net.trial import SEED_LENGTH, Trial, is_seed, try_server

__all__ = [
    "FAMILY_MISSING",
    "SEED_LENGTH",
    "Admission",
    "AdmissionLimits",
    "Alarm",
    "Backoff",
    "Client",
    "ConnectError",
    "Connected",
    "Connection",
    "ConnectionLost",
    "Identity",
    "Link",
    "LinkWaiting",
    "ListenError",
    "Listener",
    "Refusal",
    "Step",
    "Target",
    "TaskSet",
    "Trial",
    "comes_from",
    "dial",
    "explain_connect_error",
    "explain_listen_error",
    "is_seed",
    "open_sockets",
    "peer_address",
    "try_server",
]
