"""RC4, of whichever library is there.

arc4 keeps 258 bytes for each of the two streams of a connection, and takes 40 KiB to be loaded. The
cipher library takes 1.6 KiB for each, and 8 MiB of the process once it is loaded; but it has wheels
for every machine, which arc4 has not (the extra `rc4` in pyproject.toml).

Source: docs/protocol.md section 3.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

Keystream = Callable[[bytes], bytes]
"""Adds the next bytes of the keystream to those that it is given."""


def of_arc4(key: bytes) -> Keystream:
    """`key`: 16 or 20 bytes."""
    from arc4 import ARC4

    return ARC4(key).encrypt


def of_the_cipher_library(key: bytes) -> Keystream:
    """The same where arc4 is not installed."""
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
    from cryptography.hazmat.primitives.ciphers import Cipher

    return Cipher(ARC4(key), mode=None).encryptor().update


keystream: Final = of_arc4 if find_spec("arc4") else of_the_cipher_library
