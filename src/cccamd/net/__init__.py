"""TCP connections on asyncio: a thin shell around the objects of `cccamd.wire.link`.

It knows no configuration and no cards: everything is a plain argument.
"""

from cccamd.facts import Step
from cccamd.net.accepting import (
    AcceptEnded,
    AcceptEvent,
    Acceptor,
    AcceptPaused,
    AcceptResumed,
    ListenError,
    open_sockets,
)
from cccamd.net.admission import Admission, AdmissionLimits, NoEntry
from cccamd.net.client import Client, ConnectionLost
from cccamd.net.connection import (
    Connected,
    Connection,
    PairedPeer,
    peer_address,
    untaken,
)
from cccamd.net.dial import connect, locate
from cccamd.net.eventloop import loop_factory
from cccamd.net.failures import (
    Attempt,
    ConnectError,
    Failure,
    Notice,
    explain_connect_error,
    explain_end,
    explain_loss,
)
from cccamd.net.fairness import FairLimits, FairPlay
from cccamd.net.kernel import Way, way_of
from cccamd.net.link import Backoff, Link, LinkEvent, LinkWaiting
from cccamd.net.listener import Listener
from cccamd.net.lobby import AtSocket, FirstWords, Guest, HandOver, hand_over
from cccamd.net.origins import origin_of
from cccamd.net.outside import CallError, callable_addresses, trust
from cccamd.net.penalties import LONGEST_WAIT, Ban, Penalties, PenaltyRules, Standing
from cccamd.net.quota import Rates
from cccamd.net.resolve import resolve
from cccamd.net.servicemanager import ServiceManager
from cccamd.net.spending import Spending
from cccamd.net.tasks import Alarm, TaskSet, Turns, Wheel, at_once, in_slices
from cccamd.net.threads import in_thread
from cccamd.net.tls import Keyring, TlsCall, TlsDoor, is_paired_still
from cccamd.net.unixsockets import credentials, open_unix_socket, remove_unix_socket

__all__ = [
    "LONGEST_WAIT",
    "AcceptEnded",
    "AcceptEvent",
    "AcceptPaused",
    "AcceptResumed",
    "Acceptor",
    "Admission",
    "AdmissionLimits",
    "Alarm",
    "AtSocket",
    "Attempt",
    "Backoff",
    "Ban",
    "CallError",
    "Client",
    "ConnectError",
    "Connected",
    "Connection",
    "ConnectionLost",
    "Failure",
    "FairLimits",
    "FairPlay",
    "FirstWords",
    "Guest",
    "HandOver",
    "Keyring",
    "Link",
    "LinkEvent",
    "LinkWaiting",
    "ListenError",
    "Listener",
    "NoEntry",
    "Notice",
    "PairedPeer",
    "Penalties",
    "PenaltyRules",
    "Rates",
    "ServiceManager",
    "Spending",
    "Standing",
    "Step",
    "TaskSet",
    "TlsCall",
    "TlsDoor",
    "Turns",
    "Way",
    "Wheel",
    "at_once",
    "callable_addresses",
    "connect",
    "credentials",
    "explain_connect_error",
    "explain_end",
    "explain_loss",
    "hand_over",
    "in_slices",
    "in_thread",
    "is_paired_still",
    "locate",
    "loop_factory",
    "open_sockets",
    "open_unix_socket",
    "origin_of",
    "peer_address",
    "remove_unix_socket",
    "resolve",
    "trust",
    "untaken",
    "way_of",
]
