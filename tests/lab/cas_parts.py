"""A small laboratory: one head-end, one card, and what they send."""

from datetime import UTC, datetime, timedelta

from cccamd.ids import Caid, Ident
from cccamd.lab.cas import GroupKey, HeadEnd, IssuedCard, ManagementKey, ServiceKey
from cccamd.values import ControlWords, with_checksums

CAID = Caid(0xFF01)
UA = bytes.fromhex("0000000012345678")
SA = bytes.fromhex("00000001")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=30)
WORDS = ControlWords(with_checksums(bytes(range(16))))
NONCE = bytes(range(12))


def key(number: int) -> bytes:
    """Make a key that is easy to tell from others."""
    return bytes([number]) * 16


def head_end() -> HeadEnd:
    """Make a head-end with one group, one card in it, and service keys 1 and 2."""
    return (
        HeadEnd(caid=CAID, all=ManagementKey(key=key(0xA1)))
        .with_group(SA, GroupKey(key=key(0xA2), ident=Ident(0x000102)))
        .with_card(UA, IssuedCard(key=key(0xA3), groups=(SA,)))
        .with_service_key(1, ServiceKey(key=key(0x51), expires=LATER))
        .with_service_key(2, ServiceKey(key=key(0x52), expires=NOON))
    )
