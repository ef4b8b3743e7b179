"""The CCcam wire protocol, both sides, without sockets, clocks or tasks (sans-IO).

Give a `ServerProtocol` or `ClientProtocol` the bytes that arrive, send what it says,
handle its events. Source: docs/protocol.md.
"""

from cccamd.wire.cccam.announcements import (
    SA_LENGTH,
    SIDS_LIMIT,
    UA_LENGTH,
    CardAdded,
    CardRemoved,
    Provider,
)
from cccamd.wire.cccam.client import ClientProtocol
from cccamd.wire.cccam.closing import CloseReason, LocalProtocolError
from cccamd.wire.cccam.controlwords import CW_LENGTH, ControlWords, with_checksums
from cccamd.wire.cccam.cursor import MalformedError
from cccamd.wire.cccam.events import (
    CardsDue,
    ChallengeReceived,
    Closed,
    EcmAnswered,
    EcmReceived,
    EcmRefused,
    EmmAcknowledged,
    EmmReceived,
    KeepaliveReceived,
    LoginRequested,
    LoginSucceeded,
    MalformedReceived,
    RequestDropped,
    UnexpectedReceived,
)
from cccamd.wire.cccam.frames import PAYLOAD_LIMIT, Command, command_name
from cccamd.wire.cccam.handshake import (
    SEED_RANDOM_LENGTH,
    USER_LENGTH,
    is_original_seed,
    is_partner_seed,
)
from cccamd.wire.cccam.messages import (
    ECM_LIMIT,
    EMM_LIMIT,
    ClientData,
    EcmRequest,
    Emm,
    Nok,
    PartnerText,
    ServerData,
    TextReceived,
    announced_version,
)
from cccamd.wire.cccam.nodeids import (
    NODE_ID_RANDOM_LENGTH,
    SHARED_NODE_IDS,
    make_node_id,
    offers_partner,
)
from cccamd.wire.cccam.protocol import Protocol
from cccamd.wire.cccam.server import ServerProtocol
from cccamd.wire.cccam.state import State
from cccamd.wire.cccam.versions import (
    ALL_CAPABILITIES,
    BUILDS,
    DEFAULT_VERSION,
    Capabilities,
    Revision,
    Version,
    parse_version,
    shared_revision,
)

__all__ = [
    "ALL_CAPABILITIES",
    "BUILDS",
    "CW_LENGTH",
    "DEFAULT_VERSION",
    "ECM_LIMIT",
    "EMM_LIMIT",
    "NODE_ID_RANDOM_LENGTH",
    "PAYLOAD_LIMIT",
    "SA_LENGTH",
    "SEED_RANDOM_LENGTH",
    "SHARED_NODE_IDS",
    "SIDS_LIMIT",
    "UA_LENGTH",
    "USER_LENGTH",
    "Capabilities",
    "CardAdded",
    "CardRemoved",
    "CardsDue",
    "ChallengeReceived",
    "ClientData",
    "ClientProtocol",
    "CloseReason",
    "Closed",
    "Command",
    "ControlWords",
    "EcmAnswered",
    "EcmReceived",
    "EcmRefused",
    "EcmRequest",
    "Emm",
    "EmmAcknowledged",
    "EmmReceived",
    "KeepaliveReceived",
    "LocalProtocolError",
    "LoginRequested",
    "LoginSucceeded",
    "MalformedError",
    "MalformedReceived",
    "Nok",
    "PartnerText",
    "Protocol",
    "Provider",
    "RequestDropped",
    "Revision",
    "ServerData",
    "ServerProtocol",
    "State",
    "TextReceived",
    "UnexpectedReceived",
    "Version",
    "announced_version",
    "command_name",
    "is_original_seed",
    "is_partner_seed",
    "make_node_id",
    "offers_partner",
    "parse_version",
    "shared_revision",
    "with_checksums",
]
