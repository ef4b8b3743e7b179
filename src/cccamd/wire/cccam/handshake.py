"""The seed, the keys made from it, the fixed texts of a login, and the node ids of partners.

Source: docs/protocol.md sections 4, 6, 9 and 13.3.
"""

from dataclasses import dataclass
from hashlib import sha1

from cccamd.ids import USER_LENGTH, NodeId
from cccamd.wire.cccam.cipher import Cipher
from cccamd.wire.strangers import CCCAM_SEED_LENGTH

SEED_LENGTH = CCCAM_SEED_LENGTH
SEED_RANDOM_LENGTH = 12
PROOF_LENGTH = 20
GREETING = b"CCcam"
_GREETING = int.from_bytes(GREETING.ljust(8, b"\0"))
PASSWORD_CHECK = b"CCcam\0"
LOGIN_ACCEPTED = b"CCcam".ljust(20, b"\0")
PARTNER_SUM_BASE = 0x1234


def make_seed(random: bytes) -> bytes:
    """Make the 16-byte seed from 12 random bytes, never one that says "I am OSCam".

    Raises:
        ValueError: `random` has another length.
    """
    if len(random) != SEED_RANDOM_LENGTH:
        raise ValueError(f"a seed is made from {SEED_RANDOM_LENGTH} random bytes")
    seed = random + _seed_checksum(random)
    if is_partner_seed(seed):
        # One in 65,536: any other first byte gives other checksums.
        return make_seed(bytes([seed[0] ^ 0x01]) + random[1:])
    return seed


def is_original_seed(seed: bytes) -> bool:
    """Whether the seed carries the checksum that original clients look for."""
    return seed[SEED_RANDOM_LENGTH:] == _seed_checksum(seed)


def is_partner_seed(seed: bytes) -> bool:
    """Whether the seed marks its server as one that offers extended mode (section 9)."""
    marked = (PARTNER_SUM_BASE + sum(seed[:14])) & 0xFFFF
    return int.from_bytes(seed[14:16]) == marked


def _seed_checksum(seed: bytes) -> bytes:
    return bytes([(seed[i] + seed[4 + i] + seed[8 + i]) & 0xFF for i in range(4)])


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """What both sides make of one seed."""

    server_to_client: Cipher
    client_to_server: Cipher
    proof: bytes
    """What the client sends first, encrypted, to show that it knows the algorithm."""


def derive_keys(seed: bytes) -> SessionKeys:
    """Make both ciphers and the client's proof from the 16 bytes of a seed."""
    mixed = (int.from_bytes(seed[:8]) ^ _GREETING).to_bytes(8)
    mixed += bytes([(i * seed[i]) & 0xFF for i in range(8)])
    digest = sha1(mixed, usedforsecurity=False).digest()
    server_to_client = Cipher(digest)
    client_to_server = Cipher(server_to_client.decrypt(mixed))
    proof = client_to_server.decrypt(digest)
    return SessionKeys(server_to_client, client_to_server, proof)


def pack_user(user: bytes) -> bytes:
    """Zero-pad a user name to its 20 bytes on the wire.

    Raises:
        ValueError: the name is longer.
    """
    if len(user) > USER_LENGTH:
        raise ValueError(f"a user name has at most {USER_LENGTH} bytes")
    return user.ljust(USER_LENGTH, b"\0")


def unpack_user(field: bytes) -> bytes:
    """Cut a 20-byte user name at its first zero byte."""
    return field.split(b"\0", 1)[0]


PROGRAM_LETTER = b"C"
NODE_ID_RANDOM_LENGTH = 4


def make_node_id(random: bytes) -> NodeId:
    """Make our own node id from four random bytes.

    Raises:
        ValueError: `random` has another length.
    """
    if len(random) != NODE_ID_RANDOM_LENGTH:
        raise ValueError(f"a node id is made from {NODE_ID_RANDOM_LENGTH} random bytes")
    # OSCam before 2016 masks wrongly for node ids with the top bit set (section 8).
    named = bytes([random[0] & 0x7F]) + random[1:] + PROGRAM_LETTER
    check = 0xAA
    for byte in named:
        check ^= byte
    head = named + bytes([check])
    return NodeId(head + _partner_sum(head))


def offers_partner(node_id: bytes) -> bool:
    """Whether a program with this node id offers extended mode."""
    return node_id[6:] == _partner_sum(node_id[:6])


def _partner_sum(head: bytes) -> bytes:
    return ((PARTNER_SUM_BASE + sum(head)) & 0xFFFF).to_bytes(2)
