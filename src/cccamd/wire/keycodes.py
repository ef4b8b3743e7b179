"""The code by which people know the key of a server: how it is written and read.

It is the first 160 bits of the SHA-256 of the public key (SubjectPublicKeyInfo, as in RFC 7469),
in Crockford's base 32, with letters at the end that catch mistakes. To take somebody's place one
needs another key with the same 160 bits, which takes 2**160 tries.
"""

from hashlib import sha256
from typing import Final, NewType

from cccamd.errors import NumberError

KeyCode = NewType("KeyCode", bytes)
"""The first 20 bytes of the SHA-256 of a server's public key."""

LENGTH: Final = 20
_GROUP: Final = 5
_CHECK: Final = 3
"""Letters that catch mistakes of whoever reads or types a code: one in 32,768 is missed."""
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIKE: Final = str.maketrans("OIL", "011")
"""Letters that Crockford's base 32 leaves out, because they look like these digits."""
_TEXT_LENGTH: Final = 8 * LENGTH // 5 + _CHECK


def key_code(public_key: bytes) -> KeyCode:
    """The code of a public key (SubjectPublicKeyInfo, DER)."""
    return KeyCode(sha256(public_key).digest()[:LENGTH])


def format_key_code(code: KeyCode) -> str:
    """Show the code of a key, to be read aloud: seven groups of five letters and digits."""
    text = _base32(code, _TEXT_LENGTH - _CHECK) + _check(code)
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def parse_key_code(text: str) -> KeyCode:
    """Read a code as people write it: small letters, other gaps, O for 0, I or L for 1.

    Raises:
        NumberError: it is no code, or something in it is mistyped.
    """
    letters = "".join(text.replace("-", " ").split()).upper().translate(_ALIKE)
    if len(letters) != _TEXT_LENGTH or not set(letters) <= set(_LETTERS):
        groups = _TEXT_LENGTH // _GROUP
        raise NumberError(f"a code is {groups} groups of {_GROUP} letters and digits")
    number = 0
    for letter in letters[:-_CHECK]:
        number = number << 5 | _LETTERS.index(letter)
    code = KeyCode(number.to_bytes(LENGTH, "big"))
    if _check(code) != letters[-_CHECK:]:
        raise NumberError("something in this code is mistyped: its last letters do not fit")
    return code


def _base32(data: bytes, length: int) -> str:
    number = int.from_bytes(data, "big") >> (8 * len(data) - 5 * length)
    return "".join(_LETTERS[number >> 5 * place & 31] for place in reversed(range(length)))


def _check(code: KeyCode) -> str:
    return _base32(sha256(b"cccamd key code" + code).digest(), _CHECK)
