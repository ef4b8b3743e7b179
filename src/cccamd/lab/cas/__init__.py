"""A small open conditional access system for laboratories and tests (docs/open-cas.md).

Pure: keys, nonces and the time are arguments, nothing here touches a disk or a clock.
"""

from cccamd.lab.cas.ecm import EcmHeader, parse_sealed_ecm, seal_ecm
from cccamd.lab.cas.emm import (
    Addressee,
    EmmHeader,
    KeyCommand,
    RevokeKey,
    SetKey,
    parse_sealed_emm,
    seal_emm,
)
from cccamd.lab.cas.headend import HeadEnd, IssuedCard
from cccamd.lab.cas.keys import (
    CardKeys,
    GroupKey,
    KeyFile,
    ManagementKey,
    ServiceKey,
    format_time,
)
from cccamd.lab.cas.section import KEY_LENGTH, NONCE_LENGTH, CasError
from cccamd.lab.cas.smartcard import decode, learn

__all__ = [
    "KEY_LENGTH",
    "NONCE_LENGTH",
    "Addressee",
    "CardKeys",
    "CasError",
    "EcmHeader",
    "EmmHeader",
    "GroupKey",
    "HeadEnd",
    "IssuedCard",
    "KeyCommand",
    "KeyFile",
    "ManagementKey",
    "RevokeKey",
    "ServiceKey",
    "SetKey",
    "decode",
    "format_time",
    "learn",
    "parse_sealed_ecm",
    "parse_sealed_emm",
    "seal_ecm",
    "seal_emm",
]
