"""The numbers and addresses of the field: their types, how people write them, how they are shown.

This is the only place that reads or makes them for people. Names follow `docs/protocol.md`.

There are two rules for reading, because two kinds of text are read:

- **bare**, for CCcam.cfg and its companions (docs/config.md): ASCII digits and nothing else. No
  sign, no `0x`, no blank. Fewer digits than the number has are as good as leading zeros.
- **typed**, for what a person types into cccamd.toml, a command or a page: the same, and `0x`
  before the digits and blanks around the whole are taken too.

Functions of the first rule give None for anything else, because each caller knows better words;
those of the second raise `NumberError`, whose text can be shown.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NewType, TypeVar

from cccamd.errors import NumberError

Caid = NewType("Caid", int)
"""16-bit conditional access system id, shown as 4 hex digits."""

Ident = NewType("Ident", int)
"""24-bit provider id inside a CAID, shown as 6 hex digits; 0 means any provider."""

Sid = NewType("Sid", int)
"""16-bit DVB service id, shown as 4 hex digits; 0 means unknown."""

ShareId = NewType("ShareId", int)
"""32-bit number by which an announcer names one card of its list."""

NodeId = NewType("NodeId", bytes)
"""8 bytes naming one running program in the sharing graph, shown as 16 hex digits."""

CAID_DIGITS: Final = 4
IDENT_DIGITS: Final = 6
SID_DIGITS: Final = 4
KEY_ID_DIGITS: Final = 4
SHARE_ID_DIGITS: Final = 8
NODE_ID_LENGTH: Final = 8
NO_NODE_ID: Final = NodeId(bytes(NODE_ID_LENGTH))
SHARED_NODE_IDS: Final = frozenset({NO_NODE_ID, NodeId(bytes.fromhex("0000000054fe1386"))})
"""Node ids that name nobody: every tvheadend whose owner set none sends one of these."""

PORT_LIMIT: Final = 65535
USER_LENGTH: Final = 20
"""Bytes of a user name at most (docs/protocol.md section 4)."""

IpAddress = IPv4Address | IPv6Address

N = TypeVar("N")

# Far above any number that means something here, far below what makes int() slow or fail.
_DECIMAL = re.compile(r"0*([0-9]{1,18})")
_HEX = re.compile(r"[0-9A-Fa-f]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+")
_ZONE = re.compile(r"%[A-Za-z0-9._-]+$")
_FLEET_NAME = re.compile(r"[A-Za-z0-9_.-]{1,50}")
_ENDPOINT = re.compile(r"(?:\[(?P<quoted>[^\[\]]*)\]|(?P<bare>[^\[\]:]*))(?::(?P<port>[0-9]+))?")


# Showing numbers.


def format_caid(caid: int) -> str:
    """Show a CAID: `0B00`."""
    return f"{caid:0{CAID_DIGITS}X}"


def format_ident(ident: int) -> str:
    """Show a provider id: `030B00`."""
    return f"{ident:0{IDENT_DIGITS}X}"


def format_key_id(key_id: int) -> str:
    """Show the name of a service key of the open test CAS: `0003`."""
    return f"{key_id:0{KEY_ID_DIGITS}X}"


def format_sid(sid: int) -> str:
    """Show a service id: `1D80`."""
    return f"{sid:0{SID_DIGITS}X}"


def format_share_id(share_id: int) -> str:
    """Show a share id: `0000006A`."""
    return f"{share_id:0{SHARE_ID_DIGITS}X}"


def format_service(caid: int, ident: int, sid: int) -> str:
    """Show a service as people write it in their files: `0B00:030B00:1D80`."""
    return f"{format_caid(caid)}:{format_ident(ident)}:{format_sid(sid)}"


def format_short(number: int) -> str:
    """Show a number as the old pages do, in small letters without leading zeros: `b00`."""
    return f"{number:x}"


def format_node_id(node_id: bytes) -> str:
    """Show a node id: `380ceca0f39150d3`."""
    return node_id.hex()


# The bare rule.


def bare_hex(text: str, digits: int) -> int | None:
    """Read one to `digits` hex digits."""
    return int(text, 16) if len(text) <= digits and _HEX.fullmatch(text) else None


def bare_pattern(digits: int, *, at_least: int = 1) -> str:
    """What `bare_hex` reads as a regular expression, for descriptions of data."""
    return f"^[0-9A-Fa-f]{{{at_least},{digits}}}$"


def bare_decimal(text: str, low: int = 0, high: int | None = None) -> int | None:
    """Read a decimal number from `low` to `high`, both included; None: no upper bound."""
    found = _DECIMAL.fullmatch(text)
    number = int(found[1]) if found else -1
    return number if low <= number and (high is None or number <= high) else None


CONFIG_KEY_LENGTH = 14
"""Bytes of the DES key of a newcamd port; the same for all its users."""
USUAL_CONFIG_KEY = bytes.fromhex("0102030405060708091011121314")
"""What most installations have: it is no secret."""


def bare_bytes(text: str, length: int) -> bytes | None:
    """Read so many bytes, two hex digits each, none of them left out."""
    number = bare_hex(text, 2 * length) if len(text) == 2 * length else None
    return None if number is None else number.to_bytes(length)


def bare_node_id(text: str) -> NodeId | None:
    """Read 16 hex digits, none of them left out."""
    node_id = bare_bytes(text, NODE_ID_LENGTH)
    return None if node_id is None else NodeId(node_id)


# The typed rule.


def parse_caid(text: str) -> Caid:
    """Read a CAID.

    Raises:
        NumberError: the text is no number, or too great.
    """
    return Caid(_parse_number(text, CAID_DIGITS, "a CAID", "0B00"))


def parse_ident(text: str) -> Ident:
    """Read a provider id.

    Raises:
        NumberError: the text is no number, or too great.
    """
    return Ident(_parse_number(text, IDENT_DIGITS, "a provider", "030B00"))


def parse_sid(text: str) -> Sid:
    """Read a service id.

    Raises:
        NumberError: the text is no number, or too great.
    """
    return Sid(_parse_number(text, SID_DIGITS, "a SID", "1D80"))


def parse_key_id(text: str) -> int:
    """Read the name of a service key of the open test CAS.

    Raises:
        NumberError: the text is no number, or too great.
    """
    return _parse_number(text, KEY_ID_DIGITS, "a key id", "0003")


def parse_share_id(text: str) -> ShareId:
    """Read a share id.

    Raises:
        NumberError: the text is no number, or too great.
    """
    return ShareId(_parse_number(text, SHARE_ID_DIGITS, "a share id", "0000006A"))


def parse_service(text: str) -> tuple[Caid | None, Ident | None, Sid | None]:
    """Read `caid:ident:sid`; None for each part that is empty, or left out at the end.

    Raises:
        NumberError: there are more parts, or one is no such number.
    """
    parts = text.split(":")
    if len(parts) > 3:
        example = format_service(0x0B00, 0x030B00, 0x1D80)
        raise NumberError(f"a service is CAID:provider:SID, for instance {example}")
    caid, ident, sid = parts + [""] * (3 - len(parts))
    return _if_any(parse_caid, caid), _if_any(parse_ident, ident), _if_any(parse_sid, sid)


def _if_any(parse: Callable[[str], N], text: str) -> N | None:
    return parse(text) if text.strip() else None


def parse_node_id(text: str) -> NodeId:
    """Read 16 hex digits, none of them left out.

    Raises:
        NumberError: the text is anything else.
    """
    node_id = bare_node_id(_typed_digits(text))
    if node_id is None:
        raise NumberError("a node id is 16 hex digits, for instance 3f29c1d0437a04c2")
    return node_id


def parse_hex(text: str, *, low: int, high: int | None = None, meaning: str = "") -> bytes:
    """Read `low` to `high` bytes (default: exactly `low`), each two hex digits, blanks between.

    The text is in no message, since it may be a key; `meaning` is, to say what belongs there.

    Raises:
        NumberError: the text is no hex, or has another length.
    """
    high = low if high is None else high
    bounds = f"{2 * low}" if low == high else f"{2 * low} to {2 * high}"
    expected = f"expected {bounds} hex digits{meaning and f' ({meaning})'}"
    try:
        raw = bytes.fromhex(_typed_digits(text))
    except ValueError:
        raise NumberError(f"{expected}, and nothing but hex digits and blanks") from None
    if not low <= len(raw) <= high:
        raise NumberError(f"{expected}, found {2 * len(raw)}")
    return raw


def typed_hex(text: str, digits: int) -> int | None:
    """Read one to `digits` hex digits by the typed rule; for numbers that have no name here."""
    return bare_hex(_typed_digits(text), digits)


def _typed_digits(text: str) -> str:
    digits = text.strip()
    return digits[2:] if digits[:2] in ("0x", "0X") else digits


def _parse_number(text: str, digits: int, what: str, example: str) -> int:
    number = typed_hex(text, digits)
    if number is None:
        raise NumberError(f"{what} is up to {digits} hex digits, for instance {example}")
    return number


# Hosts, addresses and ports.


def format_endpoint(host: str, port: int | None) -> str:
    """Show a host with its port, if any: `a.example.org:12000`, `[2001:db8::1]:12000`."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def parse_endpoint(text: str, *, default_port: int) -> tuple[str, int]:
    """Read `host:port`, `[2001:db8::1]:port`, or either without a port.

    An IPv6 address without brackets has no port: which colon would be its last?

    Raises:
        NumberError: the host can be none, or the port is not 1 to 65535.
    """
    found = _ENDPOINT.fullmatch(text)
    host = text if found is None else found["quoted"] or found["bare"] or ""
    if not is_host(host) or (found and found["quoted"] and ":" not in host):
        raise NumberError(
            "expected a host and a port, for instance a.example.org:12000 or [2001:db8::1]:12000"
        )
    if found is None or found["port"] is None:
        return host, default_port
    port = bare_decimal(found["port"], 1, PORT_LIMIT)
    if port is None:
        raise NumberError(f"a port is a number from 1 to {PORT_LIMIT}")
    return host, port


def is_host(text: str) -> bool:
    """Whether a text can be the name of a machine, or is an address (without brackets)."""
    if _HOST.fullmatch(text):
        return True
    try:
        IPv6Address(_ZONE.sub("", text))
    except ValueError:
        return False
    return True


def is_fleet_name(text: str) -> bool:
    """Whether a node of a fleet can be called that: it may stand in any text, page and log."""
    return _FLEET_NAME.fullmatch(text) is not None


def host_key(host: str) -> str:
    """What two spellings of a host have in common: letter case and ways to write an address."""
    return unwrap_address(host).lower()


LoginKey = tuple[str, int, str]
"""Host as `host_key` has it, port and user: what no two upstreams share."""


def login_key(host: str, port: int, user: str) -> LoginKey:
    """Name a login at another server, as lines and tables about it are compared."""
    return host_key(host), port, user


def parse_address(text: str) -> IpAddress:
    """Read an address as it is compared: unwrapped, without its zone (`fe80::1%eth0`).

    Raises:
        NumberError: it is none.
    """
    try:
        return _parsed(text)
    except ValueError:
        raise NumberError('expected an address such as "192.0.2.1" or "::"') from None


@lru_cache(maxsize=512)  # asked several times for every connection of a flood
def _parsed(text: str) -> IpAddress:
    address = _unwrapped(ip_address(text))
    return IPv6Address(int(address)) if address.version == 6 else address


def plain_address(text: str) -> str:
    """Write an address as connections are named by it.

    Raises:
        NumberError: it is none.
    """
    return str(parse_address(text))


def unwrap_address(text: str) -> str:
    """Show an IPv4 address that is written as IPv6 (`::ffff:192.0.2.1`) as what it is.

    What is no address stays as it is.
    """
    return _shown(text) if ":" in text else text  # there is one way to write IPv4


@lru_cache(maxsize=512)  # asked several times for every connection of a flood
def _shown(text: str) -> str:
    try:
        return str(_unwrapped(ip_address(text)))
    except ValueError:
        return text


def _unwrapped(address: IpAddress) -> IpAddress:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
