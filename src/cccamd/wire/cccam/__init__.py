"""The CCcam wire protocol, both sides.

Give a `ServerProtocol` or `ClientProtocol` the bytes that arrive, send what it says, handle its
events (`cccamd.wire.link`). Source: docs/protocol.md.
"""

from cccamd.wire.cccam.cipher import (
    mask,
    without_signed_shift,
)
from cccamd.wire.cccam.client import ClientProtocol
from cccamd.wire.cccam.cursor import MalformedError
from cccamd.wire.cccam.events import (
    ChallengeReceived,
    KeepaliveReceived,
    MalformedReceived,
    UnexpectedReceived,
)
from cccamd.wire.cccam.frames import (
    PAYLOAD_LIMIT,
    Command,
    FrameReader,
    OversizedFrameError,
    command_name,
)
from cccamd.wire.cccam.handshake import (
    LOGIN_ACCEPTED,
    NODE_ID_RANDOM_LENGTH,
    PASSWORD_CHECK,
    PROOF_LENGTH,
    SEED_LENGTH,
    SEED_RANDOM_LENGTH,
    derive_keys,
    is_original_seed,
    is_partner_seed,
    make_node_id,
    make_seed,
    offers_partner,
    unpack_user,
)
from cccamd.wire.cccam.login import Caller, Identity, Target
from cccamd.wire.cccam.messages import (
    ECM_LIMIT,
    NOK_COMMANDS,
    ClientData,
    PartnerText,
    ServerData,
    parse_ecm,
    parse_emm,
    parse_text,
    serialize_ecm,
    serialize_emm,
)
from cccamd.wire.cccam.offers import (
    SIDS_LIMIT,
    fitted,
    parse_offer,
    parse_withdrawal,
    serialize_offer,
    serialize_withdrawal,
)
from cccamd.wire.cccam.protocol import ANSWER_TIMEOUT, LOGIN_TIMEOUT, QUEUE_LIMIT
from cccamd.wire.cccam.server import (
    BURNT_LENGTH,
    ServerProtocol,
)
from cccamd.wire.cccam.versions import (
    ALL_CAPABILITIES,
    BUILDS,
    DEFAULT_VERSION,
    Capabilities,
    Version,
    find_version,
    parse_version,
    shared_revision,
)

__all__ = [
    "ALL_CAPABILITIES",
    "ANSWER_TIMEOUT",
    "BUILDS",
    "BURNT_LENGTH",
    "DEFAULT_VERSION",
    "ECM_LIMIT",
    "LOGIN_ACCEPTED",
    "LOGIN_TIMEOUT",
    "NODE_ID_RANDOM_LENGTH",
    "NOK_COMMANDS",
    "PASSWORD_CHECK",
    "PAYLOAD_LIMIT",
    "PROOF_LENGTH",
    "QUEUE_LIMIT",
    "SEED_LENGTH",
    "SEED_RANDOM_LENGTH",
    "SIDS_LIMIT",
    "Caller",
    "Capabilities",
    "ChallengeReceived",
    "ClientData",
    "ClientProtocol",
    "Command",
    "FrameReader",
    "Identity",
    "KeepaliveReceived",
    "MalformedError",
    "MalformedReceived",
    "OversizedFrameError",
    "PartnerText",
    "ServerData",
    "ServerProtocol",
    "Target",
    "UnexpectedReceived",
    "Version",
    "command_name",
    "derive_keys",
    "find_version",
    "fitted",
    "is_original_seed",
    "is_partner_seed",
    "make_node_id",
    "make_seed",
    "mask",
    "offers_partner",
    "parse_ecm",
    "parse_emm",
    "parse_offer",
    "parse_text",
    "parse_version",
    "parse_withdrawal",
    "serialize_ecm",
    "serialize_emm",
    "serialize_offer",
    "serialize_withdrawal",
    "shared_revision",
    "unpack_user",
    "without_signed_shift",
]
